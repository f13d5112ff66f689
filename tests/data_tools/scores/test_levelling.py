"""Levelling: a model that reads black on white must not see the light of the room, nor where the picture ends."""

from __future__ import annotations

import numpy as np
from PIL import Image

from data_tools.scores import Recipe, RenderedScores
from data_tools.scores.framing import frame
from data_tools.scores.levelling import blackened, levelled
from omr.staves import find_staves


def test_paper_becomes_white_and_ink_black_in_any_light():
    """A faint staff in the shade on one side, in the sun on the other."""
    clean = np.asarray(RenderedScores(3, 1)[0].image, np.float32) / 255
    light = np.linspace(60, 220, clean.shape[1])
    photo = Image.fromarray(((0.6 + 0.4 * clean) * light).astype(np.uint8))
    pixels = np.asarray(levelled(photo))
    for side in (pixels[:, : clean.shape[1] // 3], pixels[:, -clean.shape[1] // 3 :]):
        assert np.median(side) > 235 and side.min() < 40
    assert np.abs(pixels - 255.0 * clean).mean() < 16


def test_a_blank_page_stays_blank():
    """Grain must not be taken for ink."""
    page = np.random.default_rng(0).normal(180, 3, (120, 400)).clip(0, 255).astype(np.uint8)
    assert np.asarray(levelled(Image.fromarray(page))).min() > 100


def test_a_framed_photo_does_not_show_where_the_photo_ended():
    """The paper around it that framing adds was a bright box, and was read as bar lines."""
    scores = RenderedScores(7, 4, Recipe(camera=1.0))
    for index in range(4):
        photo = scores[index].image
        framed = np.asarray(frame(photo, find_staves(photo)[0], 7.0), np.float32)
        assert np.median(framed) > 235 and np.median(framed[:, :3]) > 235
        assert framed.min() < 60


def test_clean_pictures_need_no_search_for_their_paper():
    """On white paper both ways give nearly the same picture: a long bar of ink may move the paper found near it a
    little.
    """
    for seed in range(4, 14):
        image = RenderedScores(seed, 1)[0].image
        one, other = (np.asarray(way(image), np.int16) for way in (blackened, levelled))
        apart = np.abs(one - other)
        assert apart.max() <= 16 and apart.mean() < 0.2 and one.min() == 0 and one.max() == 255
