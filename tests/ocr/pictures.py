"""Drawn pages, and stand-ins that find and read what is known to be there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from crnn_jt.decoding.regions import Found, find_contours, grow_box
from crnn_jt.detecting import Resolution
from crnn_jt.reading import Prediction
from data_tools.polygons import min_area_box

FONT = 24


def box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """A level quad from the top left."""
    return np.float32([[left, top], [right, top], [right, bottom], [left, bottom]])


def draw_words(words: dict[tuple[int, int], str], size: tuple[int, int] = (400, 200)) -> tuple[Image.Image, list]:
    """Words by the place of their top left, black on white; the picture and the quad of each."""
    image = Image.new("RGB", size, "white")
    draw, font, quads = ImageDraw.Draw(image), ImageFont.load_default(FONT), []
    for place, text in words.items():
        draw.text(place, text, "black", font=font)
        left, top, right, bottom = draw.textbbox(place, text, font=font)
        quads.append(box(left - 2, top - 2, right + 2, bottom + 2))
    return image, quads


@dataclass
class KnownRegions:
    """A detector that finds what it was told, and remembers at which resolutions it was asked."""

    quads: Sequence[np.ndarray]
    looks: tuple = ()
    scores: Sequence[float] = ()

    def find(self, image: Image.Image, resolution: Resolution) -> list[Found]:
        self.looks = (*self.looks, resolution)
        return [Found(quad, quad, score) for quad, score in zip(self.quads, self.scores or [0.9] * len(self.quads))]


@dataclass
class Ink:
    """A detector that finds what is dark, pieces nearer than `reach` pixels as one."""

    reach: int = 9

    def find(self, image: Image.Image, resolution: Resolution) -> list[Found]:
        dark = np.uint8(np.asarray(image.convert("L")) < 128)
        spread = cv2.dilate(dark, np.ones((self.reach, self.reach), np.uint8))
        quads = [grow_box(min_area_box(contour + 0.5), 2 - self.reach // 2) for contour in find_contours(spread, 0.5)]
        return [Found(quad, quad, 0.9) for quad in quads]


@dataclass
class KnownTurns:
    """A classifier that says what it was told."""

    overturned_by: Sequence[float]

    def overturned(self, images) -> np.ndarray:
        return np.array(self.overturned_by)


@dataclass
class KnownTexts:
    """A recogniser that reads what it was told, picture by picture, and remembers their sizes; under a lexicon
    the word of it that begins alike.
    """

    texts: Sequence[str]
    confidence: float = 0.9
    sizes: tuple = ()

    def read(self, images, lexicon=None, language=None, spans=False) -> list[Prediction]:
        self.sizes = tuple(image.shape[:2] for image in images)
        return [Prediction(self._choose(text, lexicon), self.confidence, text) for text in self.texts]

    @staticmethod
    def _choose(text: str, lexicon: Sequence[str] | None) -> str:
        return next((word for word in lexicon or () if word[0] == text[0]), text)
