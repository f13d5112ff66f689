"""Words of one line joined to one region: for detectors that find lines, and readers that read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from data_tools.polygons import min_area_box
from data_tools.readers.quads import to_quad
from data_tools.sample import Region, Sample

GAP, SHIFT, TURN, SIZES = 1.5, 0.4, 0.35, 2.0
"""A word goes on with the line of the one before if it begins at most that many heights behind it and beside its
middle, is turned by so many radians against it at most, and is so many times as high at most.
"""
_LINES = 0.1
"""Regions are lines themselves where this share of the texts of a photograph has a space."""


@dataclass(frozen=True)
class JoinLines:
    """A sample with its lines as regions; words of no known line stay as they are."""

    def __call__(self, sample: Sample) -> Sample:
        lines: dict[int, list[Region]] = {}
        for place, region in enumerate(sample.regions):
            lines.setdefault(region.line if region.line >= 0 else -1 - place, []).append(region)
        return replace(sample, regions=tuple(map(join, lines.values())))


def join_lines(regions: Sequence[Region]) -> tuple[Region, ...]:
    """The lines of a photograph whose regions are words in reading order, of which nobody says in which lines they are,
    or lines already.
    """
    return JoinLines()(Sample(None, "", "", regions=number_lines(regions))).regions


def number_lines(regions: Sequence[Region]) -> tuple[Region, ...]:
    """Regions in reading order with numbers of lines, where a set of words gives none: a word that stands right behind
    the one before, as high and along the same line, goes on with it. Regions that are lines keep to themselves.
    """
    legible = [region.text for region in regions if region.legible]
    if any(region.line >= 0 for region in regions) or sum(" " in text for text in legible) > _LINES * len(legible):
        return tuple(regions)
    numbered, quads = [], [to_quad(region.polygon) for region in regions]
    for place, region in enumerate(regions):
        goes_on = place > 0 and _goes_on(quads[place - 1], quads[place])
        line = numbered[-1].line + (not goes_on) if numbered else 0
        numbered.append(replace(region, line=line))
    return tuple(numbered)


def _goes_on(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether the word in a quad goes on with the line of another."""
    (start, end, height), (begin, stop, other) = map(_axis, (before, after))
    along, onwards = end - start, stop - begin
    length = float(np.linalg.norm(along))
    if not length or not min(height, other) or max(height, other) > SIZES * min(height, other):
        return False
    along = along / length
    across, step = np.array([-along[1], along[0]]), begin - end
    turn = np.arctan2(onwards @ across, onwards @ along)
    return -0.5 * height <= step @ along <= GAP * height and abs(step @ across) <= SHIFT * height and abs(turn) <= TURN


def _axis(quad: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Where the text in a quad begins and ends, in the middle of its height, and that height."""
    start, end = (quad[0] + quad[3]) / 2, (quad[1] + quad[2]) / 2
    return start, end, float(np.linalg.norm(quad[[3, 2]] - quad[[0, 1]], axis=1).mean())


def join(words: list[Region]) -> Region:
    """One region of words in reading order: not legible where one of them is not."""
    if len(words) == 1:
        return words[0]
    points = np.concatenate([word.polygon for word in words])
    box = min_area_box(points)
    first = int(np.linalg.norm(box - words[0].polygon[0], axis=1).argmin())
    text, legible = " ".join(word.text for word in words), all(word.legible for word in words)
    return Region(np.roll(box, -first, axis=0), text, legible, words[0].line)
