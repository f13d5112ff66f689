"""The geometry: a warped line keeps its letters, crops lie around the word."""

from random import Random

import numpy as np
import pytest
from PIL import Image

from data_tools.words import Recipe
from data_tools.words.lettering import Line, Pose, crop_box, join

BAR = np.full((20, 100), 255, np.uint8)
STRAIGHT = Pose(1.0, 0.0, 0.0, (0.0,) * 8, 0.0, 0.0, 0.0)


def pose(**values) -> Pose:
    return Pose(**{**STRAIGHT.__dict__, **values})


def test_a_straight_pose_changes_nothing():
    (seen,) = map(np.asarray, STRAIGHT.warp([BAR]))
    assert seen[2:-2, 2:-2].min() == 255 and seen.shape == (24, 104)


@pytest.mark.parametrize(
    "values",
    [
        {"angle": 0.6},
        {"shear": 0.4},
        {"stretch": 1.3},
        {"corners": (0.2, -0.1, 0.1, 0.2, -0.2, 0.1, 0.1, 0.1)},
        {"arc": 1.2},
        {"arc": -1.2},
        {"arc": 3.0},
        {"arc": -2.4},
        {"wave": 0.2},
        {"wave": 0.5},
        {"arc": 0.8, "angle": 0.3, "corners": (0.1,) * 8},
    ],
)
def test_no_pose_loses_ink_at_the_edges(values):
    bent = pose(**values)
    (seen,) = map(np.asarray, bent.warp([BAR]))
    expected = BAR.size * values.get("stretch", 1.0)
    assert 0.8 < (seen > 128).sum() / expected < 1.25, "letters would be cut away or folded over"
    edge = np.concatenate([seen[0], seen[-1], seen[:, 0], seen[:, -1]])
    assert (edge > 128).mean() < 0.05


def test_an_arc_bends_the_way_its_sign_says():
    up, down = (np.asarray(pose(arc=sign).warp([BAR])[0]) for sign in (1.0, -1.0))
    assert _top(up, 0.5) < _top(up, 0.15) - 5
    assert _top(down, 0.5) > _top(down, 0.15) + 5


def test_half_a_circle_stands_as_high_as_it_is_wide_from_its_middle():
    """A word of pi radians: its ends come down to the centre of the circle, nothing of it is folded."""
    long = np.full((20, 200), 255, np.uint8)
    (seen,) = map(np.asarray, pose(arc=np.pi).warp([long]))
    rows, columns = (np.flatnonzero((seen > 128).any(axis)) for axis in (1, 0))
    radius = 200 / np.pi + 10
    assert np.ptp(rows) == pytest.approx(radius, abs=4) and np.ptp(columns) == pytest.approx(2 * radius, abs=4)
    assert not (seen[-14:, seen.shape[1] // 2 - 20 : seen.shape[1] // 2 + 20] > 128).any()


def test_a_short_word_is_not_bent_into_its_own_letters():
    """Half a circle of two letters would have no inside."""
    short = np.full((20, 30), 255, np.uint8)
    bent = pose(arc=np.pi)
    (seen,) = map(np.asarray, bent.warp([short]))
    assert 0.8 < (seen > 128).sum() / short.size < 1.25


def _top(seen: np.ndarray, across: float) -> int:
    return int((seen[:, int(seen.shape[1] * across)] > 128).argmax())


def test_neighbours_do_not_move_the_crop():
    word, other = Line(BAR[:, :40], 15), Line(BAR, 15)
    alone, everything = join([(word, 0, 0), (other, 50, 0), (other, -20, 40)])
    assert alone.shape == everything.shape and alone.sum() == 40 * 20 * 255 < everything.sum()
    tight = Recipe(crop_tight=1.0, crop_clipped=0.0)
    left, top, right, bottom = crop_box(Image.fromarray(alone), Random(0), tight)
    assert right - left < 50 and bottom - top < 30
