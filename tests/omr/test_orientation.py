"""However a picture of music lies, its staves must be found and turned level, and each read once."""

from functools import cache

import numpy as np
import pytest
from PIL import Image, ImageOps

from data_tools.scores import RenderedScores
from omr.ink import NoStaff
from omr.orientation import find_upright, is_negative, staff_angles, turn


@cache
def staff(index: int = 0) -> Image.Image:
    return RenderedScores(21, 4)[index].image.convert("L")


def sheet(*staves: Image.Image) -> Image.Image:
    """Staves one beneath the other on white paper with margins."""
    page = Image.new("L", (max(s.width for s in staves) + 160, sum(s.height + 90 for s in staves) + 90), 255)
    top = 80
    for one in staves:
        page.paste(one, (80, top))
        top += one.height + 90
    return page


def leaning(image: Image.Image, force: float) -> Image.Image:
    """The picture as a camera sees a sheet whose right side is farther away."""
    width, height = image.size
    quad = (0, force * height, 0, (1 - force) * height, width, height, width, 0)
    return image.transform(image.size, Image.Transform.QUAD, quad, Image.Resampling.BICUBIC, fillcolor=255)


@pytest.mark.parametrize("angle", [10, 33, 45, 90, 118, 180, 225, 270, 315, 352])
def test_a_staff_is_found_at_any_angle(angle):
    """15 of 16 photographs by phone ended in "no staff was found": they lay on their side, upside down, or askew."""
    upright, staves = find_upright(turn(sheet(staff()), -angle))
    (found,) = staves
    assert abs(found.space - 18) < 0.5 and abs(found.slope) < 0.1
    assert abs(found.right - found.left - staff().width) < 40
    assert upright.mode == "L"


@pytest.mark.parametrize("angle", [0, 62, 200])
def test_a_page_in_perspective_gives_each_staff_once(angle):
    page = leaning(sheet(*(staff(index) for index in range(4))), 0.04)
    _, staves = find_upright(turn(page, -angle))
    assert len(staves) == 4
    assert max(one.space for one in staves) / min(one.space for one in staves) < 1.3


def test_angles_are_told_to_half_a_degree():
    for angle in (-71, -20, 0.5, 38, 89):
        turned = turn(sheet(staff(1)), -angle)
        error = (staff_angles(turned)[0] - angle + 90) % 180 - 90
        assert abs(error) < 0.5, angle


def test_staves_of_two_sizes_are_both_found():
    """The smaller one was lost without a word: an ossia, a part of another edition pasted in."""
    small = staff(1).resize((staff(1).width // 2, staff(1).height // 2), Image.Resampling.BOX)
    for page in (sheet(staff(), small), sheet(small, staff(2), small)):
        spaces = [round(one.space) for one in find_upright(page)[1]]
        assert sorted(spaces) == sorted([18, 9] if len(spaces) == 2 else [9, 9, 18])


@pytest.mark.parametrize("dark", [0, 30])
def test_light_on_dark_is_turned_into_dark_on_light(dark):
    """A negative, or a screen in dark mode, was read as garbage at confidence 0."""
    page = sheet(staff())
    negative = Image.eval(page, lambda level: dark + (255 - level) * (230 - dark) // 255)
    assert is_negative(negative) and not is_negative(page)
    upright, staves = find_upright(negative)
    _, same = find_upright(page)
    assert len(staves) == len(same) == 1 and abs(staves[0].y - same[0].y) < 1
    assert np.median(np.asarray(upright)) > 200


def test_a_sheet_on_a_dark_table_is_no_negative():
    page = ImageOps.expand(sheet(staff()), 60, 70)
    assert not is_negative(page) and len(find_upright(page)[1]) == 1


@pytest.mark.parametrize("seed", range(2))
def test_what_holds_no_staff_is_one_line_at_every_angle(seed):
    noise = np.random.default_rng(seed).integers(0, 255, (300, 500)).astype(np.uint8)
    for image in (Image.fromarray(noise), Image.new("L", (400, 300), 255 * seed)):
        with pytest.raises(NoStaff) as caught:
            find_upright(image)
        assert "\n" not in str(caught.value)
