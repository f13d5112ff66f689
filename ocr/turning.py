"""Which way up a page lies, and its pieces in the picture that it was turned in.

Angles are 0, 90, 180 or 270 degrees, by which a picture is turned clockwise to be read: at 90 its text runs up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from crnn_jt.decoding.regions import Found
from crnn_jt.reading import Prediction
from data_tools.photos.cutting import cut, is_tall, lay_down, measure
from data_tools.stopwatch import stage
from ocr.page import Line

ANGLES = (0, 90, 180, 270)
VOTERS = 12
"""Regions, the longest, that are read to find out which way up a page lies."""
ENOUGH, CLEARLY = 20.0, 2.0
"""A page is upright, or on its head, for certain where so many characters are read, and so many times as many as the
other way up; else it is looked at turned to its side as well.
"""
AROUND = 4
"""Pixels around a region that the interpolation of what is cut out may ask for."""
LEAD, LEAST = 1.5, 5.0
"""It is turned where that gives so many times as many characters as upright, and so many more."""

_TRANSPOSED = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}


@dataclass(frozen=True)
class View:
    """A picture, as it came, looked at turned by an angle: the regions found, in the turned picture, and by how much it
    was scaled for that. Only what is cut out is turned and made an array: a large picture would be there three times.
    """

    angle: int
    image: Image.Image
    found: Sequence[Found]
    scale: float

    def cut(self, quad: np.ndarray) -> np.ndarray:
        """What a quad (4, 2) of the turned picture holds, (h, w, 3), from its top left."""
        width, height = self.image.size[::-1] if self.angle in (90, 270) else self.image.size
        last = np.array([width, height]) - 1
        low = np.clip(np.floor(quad.min(0)).astype(int) - AROUND, 0, last)
        high = np.clip(np.ceil(quad.max(0)).astype(int) + AROUND, low + 1, last + 1)
        corners = turn_back(np.stack([low, high]), self.angle, *self.image.size).astype(int)
        with stage("crops"):
            piece = self.image.crop((*corners.min(0).tolist(), *corners.max(0).tolist()))
            return cut(np.asarray(turn(piece, self.angle)), quad - np.float32(low))


def turn(image: Image.Image, angle: int) -> Image.Image:
    """The picture turned clockwise."""
    return image.transpose(_TRANSPOSED[angle]) if angle else image


def turn_back(points: np.ndarray, angle: int, width: int, height: int) -> np.ndarray:
    """Points (P, 2) of the turned picture in the picture itself, `width` x `height`; those outside go to its edge."""
    x, y = points[:, 0], points[:, 1]
    if angle == 90:
        x, y = y, height - x
    elif angle == 180:
        x, y = width - x, height - y
    elif angle == 270:
        x, y = width - y, x
    return np.float32(np.stack([np.clip(x, 0, width), np.clip(y, 0, height)], axis=1))


def turn_lines_back(lines: Sequence[Line], angle: int, width: int, height: int) -> tuple[Line, ...]:
    """Lines of the turned picture in the picture itself."""

    def back(points: np.ndarray) -> np.ndarray:
        return turn_back(points, angle, width, height)

    return tuple(
        replace(
            line,
            quad=back(line.quad),
            polygon=back(line.polygon),
            words=tuple(replace(word, quad=back(word.quad)) for word in line.words),
        )
        for line in lines
    )


def find_view(
    look: Callable[[int], View], glance: Callable[[int], View], read: Callable[[Iterable[np.ndarray]], list[Prediction]]
) -> View:
    """The picture turned by the angle at which most of its text is read. `look` gives it turned by an angle, `glance`
    too, for less; `read` reads pieces cut out of it.
    """
    upright = look(0)
    with stage("direction"):
        counts = count_both_ways(upright, read)
        most, least = max(counts.values()), min(counts.values())
        if most < ENOUGH or most < CLEARLY * least:
            counts |= count_both_ways(glance(90), read)
    angle = max(counts, key=lambda angle: counts[angle])
    return upright if angle == 0 or counts[angle] < LEAD * counts[0] + LEAST else look(angle)


def count_both_ways(view: View, read: Callable[[Iterable[np.ndarray]], list[Prediction]]) -> dict[int, float]:
    """How many characters are read right, by the recogniser's own confidence, in the longest level regions of a view as
    it is and turned round, by the angle of each.
    """
    level = [found.quad for found in view.found if is_tall(lay_down(found.quad))]
    voters = sorted(level, key=lambda quad: -measure(quad)[0])[:VOTERS]
    pieces = (np.rot90(view.cut(quad), turns) for turns in (0, 2) for quad in voters)
    counts = [_count(prediction) for prediction in read(pieces)] if voters else []
    return {view.angle: sum(counts[: len(voters)]), view.angle + 180: sum(counts[len(voters) :])}


def _count(prediction: Prediction) -> float:
    """The characters of a piece of text, each word weighted by the (geometric) mean confidence of the piece's words."""
    words = prediction.text.split()
    return sum(map(len, words)) * prediction.confidence ** (1 / max(1, len(words)))
