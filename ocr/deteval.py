"""How well regions were found where one of them may stand for several: ICDAR 2013's protocol.

Source: Wolf and Jolion, "Object count / area graphs for the evaluation of object detection and segmentation algorithms"
(IJDAR 2006), with the thresholds and weights of Karatzas et al., "ICDAR 2013 robust reading competition", section III:
a region is covered where 0.8 of its area is found, one found is precise where 0.4 of its area is text; a region found
in pieces counts 0.8, several found as one count fully. What lies in a region that is not judged is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crnn_jt.matching import harmonic_mean
from data_tools.polygons import area, intersections
from data_tools.sample import Region

LEAST_RECALL, LEAST_PRECISION = 0.8, 0.4
IN_PIECES = 0.8
"""What each piece of a region, and the region, counts."""
_FAR = 1.0
"""Centres further apart than this, in half the sum of the diagonals, are no pair."""


@dataclass(frozen=True)
class AreaCounts:
    """Sums over photographs: what of `truths` was recalled, what of `found` is precise; scores are percentages."""

    recalled: float = 0.0
    precise: float = 0.0
    truths: int = 0
    found: int = 0

    def __add__(self, other: AreaCounts) -> AreaCounts:
        return AreaCounts(
            self.recalled + other.recalled,
            self.precise + other.precise,
            self.truths + other.truths,
            self.found + other.found,
        )

    def scores(self) -> dict[str, float]:
        """Recall, precision and their harmonic mean."""
        recall, precision = 100 * self.recalled / max(1, self.truths), 100 * self.precise / max(1, self.found)
        return {"recall": recall, "precision": precision, "hmean": harmonic_mean(recall, precision)}


def count_by_area(found: Sequence[np.ndarray], truths: Sequence[Region]) -> AreaCounts:
    """The counts of one photograph: outlines found (P, 2) against the regions that are there."""
    judged = np.array([region.legible for region in truths], bool)
    if not len(found) or not len(truths):
        return AreaCounts(truths=int(judged.sum()), found=len(found))
    outlines = [region.polygon for region in truths]
    shared = intersections(outlines, found)  # (truths, found)
    recall = shared / np.maximum([[area(each)] for each in outlines], 1e-9)
    precision = shared / np.maximum([area(each) for each in found], 1e-9)
    counted = ~(precision[~judged] > LEAST_PRECISION).any(0)
    pairs = _Pairs(recall, precision, judged, counted)
    pairs.match_single(_distances(outlines, found))
    pairs.match_pieces()
    pairs.match_joined()
    return AreaCounts(pairs.recalled, pairs.precise, int(judged.sum()), int(counted.sum()))


class _Pairs:
    """The matching of one photograph: of regions that are `judged` with those found that are `counted`. Those that have
    no partner yet are `open_truths` and `open_found`.
    """

    def __init__(self, recall: np.ndarray, precision: np.ndarray, judged: np.ndarray, counted: np.ndarray):
        self.recall, self.precision = recall, precision
        self.judged, self.counted = judged, counted
        self.open_truths, self.open_found = judged.copy(), counted.copy()
        self.recalled = self.precise = 0.0

    def match_single(self, distances: np.ndarray) -> None:
        """One region and one that was found, which touch no other."""
        agree = (self.recall >= LEAST_RECALL) & (self.precision >= LEAST_PRECISION)
        alone = (self.recall > 0).sum(1, keepdims=True) * (self.recall > 0).sum(0, keepdims=True) == 1
        for truth, found in np.argwhere(agree & alone & (distances < _FAR)):
            if self.open_truths[truth] and self.open_found[found]:
                self._close([truth], [found], 1.0, 1.0)

    def match_pieces(self) -> None:
        """Regions that were found in pieces, or in one where others touch them."""
        touched = (self.recall[:, self.counted] > 0).sum(1)
        for truth in np.flatnonzero(self.open_truths & (touched >= 2)):
            pieces = np.flatnonzero(self.open_found & (self.precision[truth] >= LEAST_PRECISION))
            if round(float(self.recall[truth, pieces].sum()), 4) >= LEAST_RECALL:
                each = 1.0 if len(pieces) == 1 else IN_PIECES
                self._close([truth], pieces, each, each * len(pieces))

    def match_joined(self) -> None:
        """Several regions that were found as one, or one where it touches others."""
        touched = (self.recall[self.judged] > 0).sum(0)
        for found in np.flatnonzero(self.open_found & (touched >= 2)):
            covered = np.flatnonzero(self.open_truths & (self.recall[:, found] >= LEAST_RECALL))
            if round(float(self.precision[covered, found].sum()), 4) >= LEAST_PRECISION:
                self._close(covered, [found], float(len(covered)), 1.0)

    def _close(self, truths, found, recalled: float, precise: float) -> None:
        self.open_truths[truths] = False
        self.open_found[found] = False
        self.recalled, self.precise = self.recalled + recalled, self.precise + precise


def _distances(outlines: Sequence[np.ndarray], found: Sequence[np.ndarray]) -> np.ndarray:
    """How far the centres of each two lie apart, (truths, found), in half the sum of their diagonals."""
    centres = [np.array([each.mean(0) for each in side]) for side in (outlines, found)]
    diagonals = [np.array([np.linalg.norm(np.ptp(each, axis=0)) for each in side]) for side in (outlines, found)]
    apart = np.linalg.norm(centres[0][:, None] - centres[1][None], axis=2)
    return 2 * apart / np.maximum(diagonals[0][:, None] + diagonals[1][None], 1e-9)
