"""DetEval: regions found in pieces, or several as one (ICDAR 2013's protocol)."""

from __future__ import annotations

import numpy as np
import pytest

from data_tools.sample import Region
from ocr.deteval import AreaCounts, count_by_area


def box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return np.float32([[left, top], [right, top], [right, bottom], [left, bottom]])


WORD, NEXT, HIDDEN = (
    Region(box(0, 0, 100, 20), "a"),
    Region(box(110, 0, 200, 20), "b"),
    Region(box(0, 40, 99, 60), "", False),
)
CASES = {
    "as it is": ([box(0, 0, 100, 20)], [WORD], (1, 1, 1, 1)),
    "a little larger": ([box(-10, -5, 110, 25)], [WORD], (1, 1, 1, 1)),
    "too large": ([box(-60, -30, 160, 50)], [WORD], (0, 0, 1, 1)),
    "a part of it": ([box(0, 0, 70, 20)], [WORD], (0, 0, 1, 1)),
    "in two pieces": ([box(0, 0, 48, 20), box(50, 0, 100, 20)], [WORD], (0.8, 1.6, 1, 2)),
    "two as one": ([box(0, 0, 200, 20)], [WORD, NEXT], (2, 1, 2, 1)),
    "twice": ([box(0, 0, 100, 20), box(0, 0, 99, 20)], [WORD], (0.8, 1.6, 1, 2)),
    "as it is, and a speck": ([box(0, 0, 100, 20), box(95, 15, 105, 25)], [WORD], (1, 1, 1, 2)),
    "one that touches the next": ([box(0, 0, 115, 20)], [WORD, NEXT], (1, 1, 2, 1)),
    "what is not judged": ([box(0, 40, 90, 60)], [WORD, HIDDEN], (0, 0, 1, 0)),
    "elsewhere": ([box(300, 0, 400, 20)], [WORD], (0, 0, 1, 1)),
    "nothing found": ([], [WORD, HIDDEN], (0, 0, 1, 0)),
    "nothing there": ([box(0, 0, 9, 9)], [], (0, 0, 0, 1)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_region_may_stand_for_several(name):
    """Counted by hand from the protocol: recalled, precise, regions that are there, regions found."""
    found, truths, (recalled, precise, there, counted) = CASES[name]
    counts = count_by_area(found, truths)
    assert (counts.truths, counts.found) == (there, counted)
    assert (counts.recalled, counts.precise) == (pytest.approx(recalled), pytest.approx(precise))


def test_photographs_add_up():
    total = AreaCounts(0.8, 1.6, 1, 2) + AreaCounts(0, 0, 1, 0)
    assert total.scores() == {"recall": 40.0, "precision": 80.0, "hmean": pytest.approx(160 / 3)}
    assert AreaCounts().scores() == {"recall": 0, "precision": 0, "hmean": 0}
