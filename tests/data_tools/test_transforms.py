"""Resize policies."""

import numpy as np
import pytest
from PIL import Image

from data_tools.errors import UserError
from data_tools.transforms import ResizeFixed, ResizeProportional, normalise


def test_values_are_the_reports(png_of):
    pixels = np.array([0, 127, 128, 255], np.uint8)
    assert normalise(pixels) == pytest.approx(pixels / 127.5 - 1, abs=1e-7)
    assert normalise(pixels).dtype == np.float32


def test_fixed_size_gives_the_shape_and_the_bilinear_pixels_of_pillow():
    image = Image.effect_noise((70, 40), 90)
    out = ResizeFixed(32, 100)(image)
    assert out.shape == (1, 32, 100) and out.dtype == np.float32
    wanted = np.asarray(image.resize((100, 32), Image.Resampling.BILINEAR))
    assert np.array_equal(np.rint((out[0] + 1) * 127.5), wanted)


def test_colour_comes_channels_first():
    out = ResizeFixed(4, 6, 3)(Image.new("RGB", (9, 9), (255, 0, 0)))
    assert out.shape == (3, 4, 6) and out[0].min() == 1 and out[1].max() == -1


@pytest.mark.parametrize(
    ("size", "width"),
    [((100, 32), 100), ((101, 32), 104), ((50, 32), 32 + 20), ((10, 32), 32), ((2000, 32), 400), ((202, 64), 104)],
)
def test_width_in_proportion_rounded_up_and_clipped(size, width):
    policy = ResizeProportional(32, 32, 400, 4)
    assert policy(Image.new("L", size)).shape == (1, 32, width)


def test_proportional_width_resizes_and_never_pads():
    out = ResizeProportional(32, 32, 400, 16)(Image.new("L", (101, 32), 255))
    assert out.shape[2] == 112 and out.min() == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: ResizeFixed(0, 100),
        lambda: ResizeFixed(32, 100, 2),
        lambda: ResizeProportional(32, 100, 50),
        lambda: ResizeProportional(32, 30, 400, 4),
        lambda: ResizeProportional(32, 32, 402, 4),
        lambda: ResizeProportional(32, 32, 400, 0),
    ],
)
def test_sizes_that_cannot_be_are_said_when_the_policy_is_made(make):
    with pytest.raises(UserError):
        make()
