"""Who matches whom: ICDAR's protocol on boxes."""

from __future__ import annotations

import numpy as np
import pytest

from crnn_jt.matching import Counts, count, match
from data_tools.sample import Region


def box(left: float, top: float, width: float = 10, height: float = 4) -> np.ndarray:
    return np.float32(
        [[left, top], [left + width, top], [left + width, top + height], [left, top + height]],
    )


def truth(*place: float, legible: bool = True) -> Region:
    return Region(box(*place), "word", legible)


def test_a_region_is_matched_once_by_the_one_that_agrees_most():
    found = [box(1, 0), box(0, 0)]
    matched = match(found, [truth(0, 0), truth(50, 0)])
    assert matched.pairs == ((1, 0),) and count(matched) == Counts(1, 2, 2)


def test_half_of_the_union_is_not_enough():
    """Intersection over union must be above 0.5."""
    assert count(match([box(0, 0, 10, 4)], [truth(0, 0, 20, 4)])).matched == 0
    assert count(match([box(0, 0, 11, 4)], [truth(0, 0, 20, 4)])).matched == 1


def test_what_lies_in_a_region_that_is_not_judged_is_left_out():
    """Nobody is blamed for finding it, nor for not finding it."""
    regions = [truth(0, 0), truth(50, 0, 40, 10, legible=False)]
    assert count(match([box(0, 0), box(55, 2), box(80, 50)], regions)) == Counts(1, 2, 1)
    assert count(match([box(0, 0)], regions)) == Counts(1, 1, 1)


def test_nothing_found_and_nothing_there():
    assert count(match([], [truth(0, 0)])) == Counts(0, 0, 1)
    assert count(match([box(0, 0)], [])) == Counts(0, 1, 0)
    assert Counts().scores() == {"recall": 0.0, "precision": 0.0, "hmean": 0.0}


def test_scores_are_percentages_over_all_photographs():
    total = Counts(1, 2, 4) + Counts(2, 2, 2)
    assert total.scores() == {"recall": 50.0, "precision": 75.0, "hmean": pytest.approx(60.0)}
