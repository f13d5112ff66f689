"""Regions found and regions there are: who matches whom, and the scores of that.

Source: Karatzas et al., "ICDAR 2015 competition on robust reading", section IV: one to one, intersection over union
above 0.5; what is found mostly inside a region that nobody is to read is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data_tools.polygons import area, intersections, iou
from data_tools.sample import Region

LEAST_IOU = 0.5
INSIDE = 0.5
"""A region found is left out if more than this share of it lies in one that is not judged."""


@dataclass(frozen=True)
class Match:
    """Pairs (found, truth) of positions, and the positions on either side that count."""

    pairs: tuple[tuple[int, int], ...]
    found: tuple[int, ...]
    truths: tuple[int, ...]


@dataclass(frozen=True)
class Counts:
    """Sums over photographs; the scores are percentages."""

    matched: int = 0
    found: int = 0
    truths: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.matched + other.matched, self.found + other.found, self.truths + other.truths)

    def scores(self) -> dict[str, float]:
        """Recall, precision and their harmonic mean."""
        recall, precision = (100 * self.matched / max(1, count) for count in (self.truths, self.found))
        return {"recall": recall, "precision": precision, "hmean": harmonic_mean(recall, precision)}


def harmonic_mean(recall: float, precision: float) -> float:
    """F1 of the two; 0 where both are 0."""
    return 2 * recall * precision / (recall + precision) if recall + precision else 0.0


def match(found: Sequence[np.ndarray], truths: Sequence[Region]) -> Match:
    """Matches outlines (P, 2) with regions, the pairs that agree most first."""
    polygons = [region.polygon for region in truths]
    judged = tuple(place for place, region in enumerate(truths) if region.legible)
    if not found or not truths:
        return Match((), tuple(range(len(found))), judged)
    agreement = iou(found, polygons)
    pairs: list[tuple[int, int]] = []
    for place in np.argsort(-agreement, axis=None, kind="stable"):
        row, column = divmod(int(place), len(truths))
        if agreement[row, column] <= LEAST_IOU:
            break
        if truths[column].legible and all(row != a and column != b for a, b in pairs):
            pairs.append((row, column))
    paired = {row for row, _ in pairs}
    others = [place for place, region in enumerate(truths) if not region.legible]
    ignored = _find_ignored(found, [polygons[place] for place in others]) - paired
    return Match(tuple(pairs), tuple(row for row in range(len(found)) if row not in ignored), judged)


def _find_ignored(found: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> set[int]:
    """Which of `found` lie mostly inside one of `others`."""
    if not others:
        return set()
    shares = intersections(found, others).max(1) / np.maximum([area(polygon) for polygon in found], 1e-9)
    return set(np.flatnonzero(shares > INSIDE).tolist())


def count(matched: Match) -> Counts:
    """The counts of one photograph."""
    return Counts(len(matched.pairs), len(matched.found), len(matched.truths))
