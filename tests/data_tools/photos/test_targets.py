"""A detector's targets and pieces of photographs, on drawn shapes."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from data_tools.photos.crop import Crop
from data_tools.photos.targets import ShrunkMaps
from data_tools.sample import Region, Sample


def box(left: float, top: float, right: float, bottom: float, legible: bool = True) -> Region:
    corners = [[left, top], [right, top], [right, bottom], [left, bottom]]
    return Region(np.float32(corners), "word", legible)


def test_a_word_is_shrunk_by_the_papers_distance():
    """80x20: D = 1600 · 0.84 / 200 = 6.72 from each side."""
    maps = ShrunkMaps()([box(10, 30, 90, 50)], 96, 128)
    rows, columns = np.nonzero(maps["shrunk"])
    assert (columns.min(), columns.max() + 1) == pytest.approx((16.72, 83.28), abs=1)
    assert (rows.min(), rows.max() + 1) == pytest.approx((36.72, 43.28), abs=1)
    assert maps["valid"].all()


def test_the_border_map_falls_from_the_outline_to_both_sides():
    """0.7 on it, 0.3 where the band ends, nothing further off."""
    maps = ShrunkMaps()([box(10, 30, 90, 50)], 96, 128)
    border, banded = maps["border"] / 255, maps["banded"]
    column = border[:, 50]
    assert column[30] == pytest.approx(0.7, abs=0.04) and column[49] == pytest.approx(0.7, abs=0.04)
    assert column[25] == pytest.approx(0.7 - 0.4 * 4.5 / 6.72, abs=0.04)
    assert not banded[:22].any() and not border[:22].any() and banded[26, 50]


def test_a_map_of_half_the_size_says_the_same():
    whole = ShrunkMaps(1)([box(20, 20, 100, 60)], 96, 128)["shrunk"]
    half = ShrunkMaps(2)([box(20, 20, 100, 60)], 96, 128)["shrunk"]
    assert half.shape == (48, 64) and half.sum() * 4 == pytest.approx(whole.sum(), rel=0.15)


@pytest.mark.parametrize("region", [box(10, 10, 60, 40, False), box(10, 10, 60, 11)], ids=["illegible", "too thin"])
def test_what_nobody_can_read_is_left_out_of_the_losses(region):
    maps = ShrunkMaps()([region], 64, 64)
    assert not maps["shrunk"].any() and not maps["valid"][10, 15:55].any() and maps["valid"][50].all()


def test_outlines_that_leave_the_picture_or_cross_themselves_do_no_harm():
    wild = Region(np.float32([[-20, -5], [80, 40], [80, -5], [-20, 40]]), "word")
    maps = ShrunkMaps()([wild, box(-30, 20, 30, 50), box(5, 5, 5, 5)], 64, 64)
    assert maps["shrunk"].shape == (64, 64)


def test_no_regions_give_empty_maps():
    maps = ShrunkMaps(4)([], 64, 96)
    assert maps["shrunk"].shape == (16, 24) and not maps["shrunk"].any() and maps["valid"].all()


def test_regions_move_with_the_pixels_of_a_piece():
    """Turned and scaled, the outline still lies around what was drawn."""
    image = Image.new("L", (200, 150), 255)
    ImageDraw.Draw(image).rectangle((60, 50, 139, 89), fill=0)
    sample = Sample(image, "", "", regions=(box(60, 50, 140, 90),))
    for seed in range(8):
        piece = Crop(128, 128)(sample, np.random.default_rng(seed))
        inside = np.zeros((128, 128), bool)
        for region in piece.regions:
            mask = Image.new("L", (128, 128))
            ImageDraw.Draw(mask).polygon([tuple(point) for point in region.polygon.tolist()], fill=1)
            inside |= np.asarray(mask) > 0
        dark = np.asarray(piece.image.convert("L")) < 60
        assert (dark & inside).sum() >= 0.9 * dark.sum() and (dark & inside).sum() >= 0.9 * inside.sum() - 60


def test_a_word_cut_by_the_edge_is_not_judged():
    image = Image.new("L", (100, 100), 255)
    sample = Sample(image, "", "", regions=(box(0, 0, 100, 100),))
    piece = Crop(32, 32, rotation=0.0, scale=(1.0, 1.0))(sample, np.random.default_rng(0))
    assert [region.legible for region in piece.regions] == [False]


def test_the_same_random_numbers_give_the_same_piece():
    sample = Sample(Image.effect_noise((90, 80), 60), "", "", regions=(box(10, 10, 60, 30),))
    one, other = (Crop(64, 64)(sample, np.random.default_rng(4)) for _ in range(2))
    assert one.image.tobytes() == other.image.tobytes()
