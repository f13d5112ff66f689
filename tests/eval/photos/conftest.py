"""Small sets of photographs in ICDAR's layout, and a reader that reads what is written into it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ocr import Line, Page, Word

PLACES = [(10, 10, 90, 30), (110, 10, 190, 30), (10, 60, 90, 80), (110, 60, 190, 80)]
TRUTHS = {"1": ["EXIT", "now", "###", ""], "2": ["hotel", "bar", "", ""], "3": ["", "", "", ""]}
READ = {"1": ["exit", "new", "blur", ""], "2": ["hotel", "", "ghost", ""], "3": ["", "", "", ""]}
"""What is at each place of a photograph, and what the stand-in reads there; nothing is nowhere."""


def corners(place: tuple[int, int, int, int]) -> np.ndarray:
    left, top, right, bottom = place
    return np.float32([[left, top], [right, top], [right, bottom], [left, bottom]])


def fill_set(root: Path, truths: dict[str, list[str]] = TRUTHS) -> Path:
    """Photographs of which the colour says which one they are."""
    for folder in ("image", "gt"):
        (root / folder).mkdir(parents=True)
    for stem, texts in truths.items():
        image = Image.new("RGB", (200, 100), (250, 250, 200 + int(stem)))
        for place, text in zip(PLACES, texts):
            ImageDraw.Draw(image).text(place[:2], text, "black")
        image.save(root / "image" / f"img_{stem}.png")
        lines = [(place, text) for place, text in zip(PLACES, texts) if text]
        content = "".join(",".join(f"{value:.0f}" for value in corners(p).ravel()) + f",{t}\n" for p, t in lines)
        (root / "gt" / f"gt_img_{stem}.txt").write_text(content)
    return root


class Stand:
    """Reads what READ says; with a lexicon, its word that begins alike."""

    def __init__(self):
        self.lexicons: list = []

    def read(self, picture: Image.Image, lexicon=None) -> Page:
        stem = str(picture.getpixel((199, 99))[2] - 200)
        self.lexicons += [lexicon] if lexicon else []
        lines = []
        for place, text in zip(PLACES, READ[stem]):
            if text:
                text = next((word for word in lexicon or () if word[0].lower() == text[0]), text)
                word = Word(text, 0.9, corners(place))
                lines.append(Line(text, 0.9, word.quad, word.quad, (word,)))
        return Page(200, 100, tuple(lines))


@pytest.fixture
def stand() -> Stand:
    return Stand()


@pytest.fixture
def root(tmp_path) -> Path:
    """Two sets, IC15 with lexicons and SVT, and a folder that is none."""
    fill_set(tmp_path / "sets" / "IC15")
    fill_set(tmp_path / "sets" / "SVT")
    (tmp_path / "sets" / "notes").mkdir()
    (tmp_path / "sets" / "notes" / "readme.md").write_text("nothing")
    strong = tmp_path / "sets" / "IC15" / "ch4_test_vocabularies_per_image"
    strong.mkdir()
    for stem, words in {"1": "EXIT\nnow\n", "2": "hotel\nbar\n", "3": "far\n"}.items():
        (strong / f"voc_img_{stem}.txt").write_text(words)
    (tmp_path / "sets" / "IC15" / "ch4_test_vocabulary.txt").write_text("exit\nnot\nhotel\n")
    (tmp_path / "sets" / "GenericVocabulary.txt").write_text("never\n")
    return tmp_path / "sets"
