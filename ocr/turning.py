"""Which way up a page lies, and its pieces in the picture that it was turned in.

Angles are 0, 90, 180 or 270 degrees, by which a picture is turned clockwise to be read: at 90 its text runs up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import ceil, floor
from typing import Any

import numpy as np
from PIL import Image

from crnn_jt.decoding.regions import Found
from crnn_jt.reading import Prediction
from data_tools.photos.cutting import TALL, cut, is_tall, lay_down, measure
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
FEW, LONG = 3.0, 10.0
"""So many characters read, or regions so long in all, in their heights, say that a page does not lie on its side,
where its tall regions are half, or a quarter, as long as the level ones at most.
"""

_TRANSPOSED = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}


@dataclass(frozen=True)
class Eyes:
    """A recogniser's two halves: what it sees of pieces cut out, one by one, and what stands in pieces that were seen.
    Of one that does both at once, what is seen are the pieces.
    """

    see: Callable[[Iterable[np.ndarray]], list[Any]]
    tell: Callable[..., list[Prediction]]

    @staticmethod
    def of(recognizer: Any) -> Eyes:
        """Those of a `crnn_jt.reading.SequenceReader`, or of anything that has a `read`."""
        return Eyes(getattr(recognizer, "see", list), getattr(recognizer, "tell", recognizer.read))

    def read(self, seen: list[Any]) -> list[Prediction]:
        """What stands in pieces that were seen, by the picture alone."""
        return self.tell(seen, language="none") if seen else []


@dataclass(frozen=True)
class View:
    """A picture, as it came, looked at turned by an angle: the regions found, in the turned picture, and by how much it
    was scaled for that. Only what is cut out is turned and made an array: a large picture would be there three times.
    """

    angle: int
    image: Image.Image
    found: Sequence[Found]
    scale: float
    seen: dict[int, Any] = field(default_factory=dict)
    """What a recogniser saw of regions, by their number."""

    def see(self, numbers: Sequence[int], eyes: Eyes) -> list[Any]:
        """What a recogniser sees of regions, each as it is read; of those that it saw before, what it saw."""
        new = [number for number in numbers if number not in self.seen]
        self.seen.update(zip(new, eyes.see(self.cut(self.quads[number]) for number in new)))
        return [self.seen[number] for number in numbers]

    @cached_property
    def quads(self) -> list[np.ndarray]:
        """Of each region, as it is read: a tall one holds text that runs up."""
        return [lay_down(each.quad) if is_tall(each.quad) else each.quad for each in self.found]

    @cached_property
    def level(self) -> list[float]:
        """Of each region how many times as wide as high it is: below 1 of what runs up."""
        sizes = (measure(each.quad) for each in self.found)
        return [width / height for width, height in sizes]

    def cut(self, quad: np.ndarray) -> np.ndarray:
        """What a quad (4, 2) of the turned picture holds, (h, w, 3), from its top left."""
        size = self.image.size[::-1] if self.angle in (90, 270) else self.image.size
        with stage("crops"):
            ends = zip(quad.min(0).tolist(), quad.max(0).tolist(), size)
            sides = [_reach(first, last, length) for first, last, length in ends]
            corners = np.array(sides).T  # left and top, right and bottom
            if self.angle:
                corners = turn_back(corners, self.angle, *self.image.size).astype(int)
            piece = self.image.crop((*corners.min(0).tolist(), *corners.max(0).tolist()))
            return cut(np.asarray(turn(piece, self.angle)), quad - np.float32([first for first, _ in sides]))


def _reach(first: float, last: float, length: int) -> tuple[int, int]:
    """The pixels, one at least, from a little before `first` to a little after `last`, in a picture of this length."""
    begin = min(max(floor(first) - AROUND, 0), length - 1)
    return begin, min(max(ceil(last) + AROUND, begin + 1), length)


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


def find_view(look: Callable[[int], View], glance: Callable[[int], View], eyes: Eyes) -> View:
    """The picture turned by the angle at which most of its text is read. `look` gives it turned by an angle, `glance`
    too, for less.
    """
    upright = look(0)
    with stage("direction"):
        voters = choose_voters(upright)
        own = eyes.read(upright.see(voters, eyes))
        counts = {0: sum(map(_count, own))}
        if LEAD * counts[0] + LEAST < _most_characters(upright, voters, own):
            counts[180] = count_turned_round(upright, voters, eyes)
        most = max(counts.values())
        doubtful = most < ENOUGH or most < CLEARLY * counts.get(180 - max(counts, key=counts.get), 0.0)
        if doubtful and not lies_level(upright, most):
            counts |= count_both_ways(glance(90), eyes)
    angle = max(counts, key=lambda angle: counts[angle])
    return upright if angle == 0 or counts[angle] < LEAD * counts[0] + LEAST else look(angle)


def choose_voters(view: View) -> list[int]:
    """The longest level regions, by number."""
    level = [number for number, share in enumerate(view.level) if share > TALL]
    return sorted(level, key=lambda number: -measure(view.found[number].quad)[0])[:VOTERS]


def count_both_ways(view: View, eyes: Eyes) -> dict[int, float]:
    """How many characters are read right, by the recogniser's own confidence, in the longest level regions of a view as
    it is and turned round, by the angle of each.
    """
    voters = choose_voters(view)
    own = sum(map(_count, eyes.read(view.see(voters, eyes))))
    return {view.angle: own, view.angle + 180: count_turned_round(view, voters, eyes)}


def count_turned_round(view: View, voters: Sequence[int], eyes: Eyes) -> float:
    """The same of some regions, all turned round."""
    pieces = (np.rot90(view.cut(view.found[number].quad), 2) for number in voters)
    return sum(map(_count, eyes.read(eyes.see(pieces))))


def lies_level(view: View, most: float) -> bool:
    """Whether text runs along the lines of a view clearly enough that nobody need look at its side; `most` characters
    were read in it.
    """
    level = sum(share for share in view.level if share > TALL)
    tall = sum(1 / share for share in view.level if share < 1 / TALL)
    return (most >= FEW and 2 * tall < level) or (level >= LONG and 4 * tall < level)


def _most_characters(view: View, voters: Sequence[int], read: Sequence[Prediction]) -> float:
    """As many characters as the other way up at most: as many as are read now, however badly, or one for each height of
    the regions.
    """
    lengths = sum(view.level[number] for number in voters)
    return max(lengths, sum(sum(map(len, each.text.split())) for each in read))


def _count(prediction: Prediction) -> float:
    """The characters of a piece of text, each word weighted by the (geometric) mean confidence of the piece's words."""
    words = prediction.text.split()
    return sum(map(len, words)) * prediction.confidence ** (1 / max(1, len(words)))
