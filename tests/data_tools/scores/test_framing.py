"""Staves in the frame of a model: where the camera took the lines, and pictures as a reader gets them."""

import numpy as np
import pytest

from data_tools.errors import UserError
from data_tools.scores import Recipe, RenderedScores, engraving
from data_tools.scores.camera import Bent, CameraRecipe, followed
from data_tools.scores.framing import Staff, frame

LOWEST = round(engraving.FRAME_ABOVE * 7)


def lines(image) -> np.ndarray:
    """(5,): how dark the picture is, on average, where the frame has its staff lines, relative to the gaps."""
    dark = 255 - np.asarray(image, np.float32)
    rows = dark.mean(axis=1)
    place = LOWEST - 7 * np.arange(5)
    return np.maximum(rows[place], rows[place - 1]) - rows[place - 4]


def test_where_the_camera_took_a_line_is_known():
    """A grid moved by hand: down by 3 pixels, right by 2, and a slope of one in fifty."""
    x, y = np.arange(0.0, 400, 20), np.arange(0.0, 120, 20)
    across, down = np.meshgrid(x, y)
    bent = Bent(x, y, across - 2, down - 3 - across / 50)
    assert np.allclose(bent.line(50.0), 53 + x / 50)
    staff = Staff.bent(bent, (30.0, 70.0), 40, 300)
    assert (staff.space, staff.left, staff.right) == pytest.approx((10, 42, 302))
    assert (staff.y, staff.slope) == pytest.approx((72.5, 0.02))


def test_photographed_staff_is_framed_where_its_lines_went():
    """Turned by the camera, level in the frame: all five lines are in their rows."""
    score = RenderedScores(2, 4).score(3)
    image, heights = engraving.engraved(score.mei)
    turned = CameraRecipe(shear=0, wave=0, swirl=0, perspective=0, shade=0, blur=0, noise=0)
    photo, bent = followed(image, np.random.default_rng(3), turned)
    staff = Staff.bent(bent, heights, 0, image.width)
    assert abs(staff.slope) > 0.002 and staff.space == pytest.approx(18, abs=0.1)
    assert lines(frame(photo, staff, 7.0)).min() > 30


def test_a_finder_is_off_by_little():
    """Pictures to train on hold what a finder gives: never a line away."""
    staff, rng = Staff(100.0, 0.0, 18.0, 0.0, 900.0), np.random.default_rng(0)
    off = [staff.nearly(rng) for _ in range(200)]
    middles = np.array([one.y + one.slope * 450 for one in off]) - 100
    assert 0.5 < middles.std() < 3 and np.abs(middles).max() < 4.5
    assert max(abs(one.space / 18 - 1) for one in off) < 0.03


@pytest.mark.parametrize("look", ["primus", "varied"])
@pytest.mark.parametrize("camera", [0.0, 1.0])
def test_staff_frame_is_as_a_reader_gets_it(look, camera):
    """Drawn larger, photographed or not, and framed: one height, same bytes again, the lines in their place."""
    recipe = Recipe(look=look, frame="staff", staff_space=7, camera=camera, found=1.0)
    one, other = (RenderedScores(3, 9, recipe) for _ in range(2))
    seen = []
    for index in range(6):
        image = one[index].image
        assert image.height == 96 and image.tobytes() == other[index].image.tobytes()
        seen.append(lines(image).mean())
    assert np.median(seen) > (15 if camera else 30)


def test_found_is_a_share():
    with pytest.raises(UserError, match="found is -1"):
        Recipe(found=-1)
