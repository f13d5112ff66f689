"""A musician's scan or photo must come out level, at the right size, every staff of it."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from data_tools.scores import Recipe, RenderedScores
from data_tools.scores.camera import CameraRecipe, photograph
from data_tools.scores.framing import frame
from omr.combs import stretched
from omr.ink import NoStaff, binarise, crop_to_ink
from omr.staves import find_staves

SCORES = RenderedScores(11, 12)
PAPER = 250


def page(count: int = 3, width: int = 1500) -> Image.Image:
    sheet = Image.new("L", (width, 250 * count + 100), PAPER)
    for order in range(count):
        image = SCORES[order].image
        sheet.paste(image.crop((0, 0, min(image.width, width - 200), image.height)), (90, 80 + 250 * order))
    return sheet


def lines_of(framed: Image.Image, space: float) -> np.ndarray:
    """Rows of the five darkest lines, a staff space apart, from below."""
    dark = (255 - np.asarray(framed, np.float32)).sum(axis=1)
    lowest = round(9.2 * space)
    return np.array(
        [np.argmax(dark[round(lowest - (k + 0.4) * space) : round(lowest - (k - 0.4) * space)]) for k in range(5)]
    )


def test_one_staff_without_margins():
    image = SCORES[0].image
    (staff,) = find_staves(image)
    assert abs(staff.space - 18) < 0.1 and abs(staff.slope) < 0.002
    assert staff.left < 5 and staff.right > image.width - 25


def test_page_is_read_from_top_to_bottom():
    staves = find_staves(page())
    assert len(staves) == 3 and [staff.y for staff in staves] == sorted(staff.y for staff in staves)
    assert all(abs(staff.space - 18) < 0.2 and 80 < staff.left < 100 for staff in staves)


@pytest.mark.parametrize("degrees", [-4.0, -1.0, 2.5])
def test_rotation_is_measured_and_undone(degrees):
    turned = page().rotate(degrees, fillcolor=PAPER, resample=Image.Resampling.BICUBIC)
    staves = find_staves(turned)
    assert len(staves) == 3
    for staff in staves:
        assert abs(np.degrees(np.arctan(staff.slope)) + degrees) < 0.1 and abs(staff.space - 18) < 0.25
        assert np.ptp(lines_of(frame(turned, staff, 10.0), 10.0)) <= 2


@pytest.mark.parametrize("zoom", [0.6, 2.4])
def test_any_size_comes_out_at_the_same_size(zoom):
    image = page(1)
    scaled = image.resize((round(image.width * zoom), round(image.height * zoom)), Image.Resampling.LANCZOS)
    (staff,) = find_staves(scaled)
    framed, plain = frame(scaled, staff, 7.0), frame(image, find_staves(image)[0], 7.0)
    assert framed.height == plain.height == 96 and abs(framed.width - plain.width) <= 8
    smaller = (
        framed.crop((0, 0, min(framed.width, plain.width), 96)),
        plain.crop((0, 0, min(framed.width, plain.width), 96)),
    )
    assert np.corrcoef(*(np.asarray(part, np.float32).ravel() for part in smaller))[0, 1] > 0.6


def test_frame_is_the_renderers_own():
    """What the model sees of a scan lies where it lay when the model learned."""
    rendered = RenderedScores(11, 12, Recipe(frame="staff", staff_space=10.0, found=0.0))[0].image
    image = SCORES[0].image
    framed = frame(image, find_staves(image)[0], 10.0, margin=0)
    width = min(framed.width, rendered.width)
    ours, theirs = (np.asarray(part.crop((0, 0, width, part.height)), np.float32) for part in (framed, rendered))
    assert ours.shape == theirs.shape and np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.75


def test_photos_with_uneven_light_are_found():
    found = 0
    for order in range(6):
        photo = photograph(SCORES[order].image, np.random.default_rng(order), CameraRecipe(strength=0.8))
        staves = find_staves(photo)
        found += len(staves) == 1 and abs(staves[0].space - 18) < 0.6
    assert found >= 5


@pytest.mark.parametrize(
    "image",
    [
        Image.new("L", (600, 200), 255),
        Image.new("RGB", (1, 1)),
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 500)).astype(np.uint8)),
        Image.fromarray((np.indices((200, 400)).sum(axis=0) % 40 < 3).astype(np.uint8) * 255),
    ],
)
def test_no_staff_is_one_line(image):
    with pytest.raises(NoStaff) as caught:
        find_staves(image)
    assert "staff" in str(caught.value) and "\n" not in str(caught.value)


def test_colour_and_see_through_pictures():
    image = page(1).convert("RGB")
    assert len(find_staves(image)) == 1
    see_through = Image.new("RGBA", image.size, (0, 0, 0, 0))
    see_through.paste((30, 20, 60, 255), mask=page(1).point(lambda level: 255 * (level < 128)))
    assert len(find_staves(see_through)) == 1


def test_binarise_and_crop():
    image = page(1)
    cropped = crop_to_ink(image)
    assert cropped.width < image.width and abs(cropped.height - SCORES[0].image.height) <= 4
    assert 0.01 < binarise(image).mean() < 0.2
    assert crop_to_ink(Image.new("L", (30, 30), 255)).size == (30, 30)


@pytest.mark.parametrize("space", [5, 7, 9])
def test_small_blurred_photos_are_found(space):
    """A phone's picture of a page has few pixels between the lines, is never sharp, and never flat."""
    scores, found = RenderedScores(21, 6, Recipe("varied", staff_space=float(space))), 0
    for order in range(6):
        plain = ImageOps.expand(scores[order].image.convert("L"), 2 * space, 255)
        photo = photograph(plain, np.random.default_rng((space, order)), CameraRecipe())
        try:
            staves = find_staves(photo)
        except NoStaff:
            continue
        whole = staves[0].right - staves[0].left > 0.85 * (photo.width - 4 * space)
        found += len(staves) == 1 and whole and abs(staves[0].space / space - 1) < 0.06
    assert found >= 4


def test_a_curved_staff_is_one_staff():
    """Parts of it that were found each on its own must not be read twice."""
    for order in range(4):
        photo = photograph(SCORES[order].image, np.random.default_rng(order), CameraRecipe(strength=1.2))
        assert len(find_staves(photo)) == 1


@pytest.mark.parametrize("ink", [slice(0, 20), slice(80, 100)])
def test_a_staff_beside_whose_ends_there_is_no_ink_stays_as_it_is(ink):
    """A page photographed at an angle ended in an error: all of its ink was on one side of what was looked at."""
    dark = np.zeros((40, 100), bool)
    dark[20:24, ink] = True
    assert stretched(dark, 24, 5.0, 40, 60) == (40, 60)
