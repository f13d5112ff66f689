"""Test sets whose pictures spell, pixel by pixel, what a stand-in recogniser reads: no model is needed."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crnn_jt.decoding import ctc
from eval.words.transcribe import Transcription

CHARACTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
STEPS = 30


def spell(reading: str) -> Image.Image:
    """A picture that `Stand` reads as `reading`."""
    codes = np.frombuffer(reading.encode("latin-1") or b"\0", dtype=np.uint8)
    return Image.fromarray(np.tile(codes, (4, 1)))


def fill_set(folder: Path, pairs: list[tuple[str, str]]) -> Path:
    """A set in the report's layout from (label, reading) pairs; images 1_1.png, 2_1.png …"""
    (folder / "image").mkdir(parents=True)
    for i, (_, reading) in enumerate(pairs, 1):
        spell(reading).save(folder / "image" / f"{i}_1.png")
    lines = [f"{i}_1.png {label}\n" for i, (label, _) in enumerate(pairs, 1)]
    (folder / "gt.txt").write_text("".join(lines), "utf-8")
    return folder


class Stand:
    """A CTC recogniser that reads spelt pictures, each letter with probability 0.9."""

    def __init__(self, symbols: str = CHARACTERS):
        self.symbols = tuple(symbols)

    def read(self, images):
        return [self._read(bytes(np.asarray(image)[0]).decode("latin-1").strip("\0")) for image in images]

    def _read(self, text):
        probabilities = np.full((STEPS, len(self.symbols) + 1), 0.1 / len(self.symbols))
        probabilities[:, 0] = 0.9
        for i, character in enumerate(text):
            probabilities[2 * i, [0, self.symbols.index(character) + 1]] = 0.1 / len(self.symbols), 0.9
        log_probs = np.log(probabilities)
        return Transcription(text, ctc.greedy(log_probs[:, None])[0].confidence, log_probs.astype(np.float32))


class Decoder(Stand):
    """The same as a decoder: no log-probabilities, words scored by their common letters."""

    def read(self, images):
        return [Transcription(found.text, found.confidence) for found in super().read(images)]

    def score(self, images, rows, words):
        texts = [read.text for read in self.read(images)]
        return np.array(
            [-float(sum(a != b for a, b in zip(texts[r].ljust(40), w.ljust(40)))) for r, w in zip(rows, words)]
        )


@pytest.fixture
def root(tmp_path):
    """Two sets and a dictionary: SVT with official lexicons, IC03 without."""
    svt = fill_set(tmp_path / "SVT", [("LIVING", "living"), ("ROOM", "rcom"), ("Hotel", "hote")])
    (svt / "lex.txt").write_text("1 LIVING,ROOM,KENNY\n2 ROOM,RED,ROOM\n3 MOTEL,INN\n", "utf-8")
    words = [
        ("cat", "cat"),
        ("Dog!", "dog"),
        ("no", "no"),
        ("horse", "horze"),
        ("horse", "horse"),
        ("zebra", "qqqqqqqqq"),
    ]
    fill_set(tmp_path / "IC03", words)
    (tmp_path / "Hunspell_en.txt").write_text("cat\nhorse\nhorde\nliving\nroom\nCat\n", "utf-8")
    return tmp_path
