"""Augmentation: the same from one generator, same mode and size, the word still in the picture."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from data_tools.augment import augment_word


def word(mode: str = "L", size: tuple[int, int] = (100, 32)) -> Image.Image:
    image = Image.new(mode, size, "white")
    ImageDraw.Draw(image).rectangle((size[0] // 5, size[1] // 4, size[0] * 4 // 5, size[1] * 3 // 4), fill="black")
    return image


def ink(image: Image.Image) -> float:
    levels = np.asarray(image.convert("L"), float)
    spread = abs(levels - np.median(np.concatenate([levels[0], levels[-1]])))
    return float((spread > spread.max() / 2).mean())


def test_it_depends_on_the_generator_alone():
    made = [[augment_word(word(), np.random.default_rng((7, i))).tobytes() for i in range(30)] for _ in range(2)]
    assert made[0] == made[1], "a resumed training would see other pictures"
    assert len(set(made[0])) > 20


@pytest.mark.parametrize("mode, expected", [("L", "L"), ("RGB", "RGB"), ("RGBA", "L"), ("P", "L"), ("1", "L")])
def test_modes_and_sizes(mode, expected):
    for i in range(40):
        out = augment_word(word(mode), np.random.default_rng(i))
        assert out.mode in (expected, mode) and out.size == (100, 32)


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (4, 4), (400, 20), (20, 300)])
def test_odd_sizes_are_survived(size):
    assert all(augment_word(word(size=size), np.random.default_rng(i)).size == size for i in range(30))


def test_the_word_stays_in_the_picture():
    kept = [ink(augment_word(word(), np.random.default_rng(i))) for i in range(60)]
    assert np.median(kept) == pytest.approx(ink(word()), rel=0.25) and min(kept) > 0.08


def test_the_picture_given_is_left_alone():
    image = word()
    before = image.tobytes()
    for i in range(10):
        augment_word(image, np.random.default_rng(i))
    assert image.tobytes() == before
