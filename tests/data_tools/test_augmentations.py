"""Augmentations by name: the same from one generator, same mode and size, and each does what its paper says."""

from random import Random

import numpy as np
import pytest
from PIL import Image

from data_tools.augmentations import MIXES, PICTURES, Augmentations
from data_tools.augmentations.policies import IMAGENET, OPERATIONS
from data_tools.loader import text_loader
from data_tools.readers import open_reader
from data_tools.transforms import ResizeFixed
from tests.data_tools.test_augment import ink, word
from tests.data_tools.test_loader import same


def levels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, np.int64)


@pytest.mark.parametrize("name", PICTURES)
def test_they_depend_on_the_generator_alone(name):
    """A resumed training, or one with more workers, would see other pictures."""
    before = word().tobytes()
    augment = Augmentations((name,))
    made = [[augment(word(), np.random.default_rng((7, n))).tobytes() for n in range(30)] for _ in range(2)]
    assert made[0] == made[1] and len(set(made[0])) > 8
    image = word()
    augment(image, np.random.default_rng(1))
    assert image.tobytes() == before, "the picture that was given is changed"


def test_batches_are_the_same_with_workers_and_after_a_resumption(folder):
    """All of them in a row, through the loader; another epoch shows other pictures."""
    reader, augment = open_reader(folder(12)), Augmentations(tuple(PICTURES))

    def load(epoch: int = 0, start: int = 0, workers: int = 0) -> list:
        loader = text_loader(reader, ResizeFixed(16, 40), 4, seed=5, shuffle=True, augment=augment, workers=workers)
        batches = list(loader.batches(epoch, start))
        loader.close()
        return batches

    whole = load()
    assert same(whole, load(workers=1)) and same(whole[1:], load(start=1))
    shown = {key: image for batch in load(epoch=1) for key, image in zip(batch.keys, batch.images)}
    assert any(not np.array_equal(image, shown[key]) for key, image in zip(whole[0].keys, whole[0].images))


@pytest.mark.parametrize("name", PICTURES)
def test_modes_and_sizes_stay(name):
    """What follows brings a picture of any size to the model's; colours must not be lost, and odd ones not stop it."""
    for mode, expected in (("L", "L"), ("RGB", "RGB"), ("RGBA", "L"), ("1", "L")):
        for n in range(10):
            out = Augmentations((name,))(word(mode), np.random.default_rng(n))
            assert out.mode == expected and out.size == (100, 32)
    for size in ((1, 1), (3, 40), (4, 4), (400, 20), (20, 300)):
        assert all(Augmentations((name,))(word(size=size), np.random.default_rng(n)).size == size for n in range(10))


@pytest.mark.parametrize("name", ["bda", "tia"])
def test_text_stays_in_the_picture(name):
    """A line whose ends are cut off has another text than its label."""
    for size in ((100, 32), (600, 32)):
        kept = [ink(Augmentations((name,))(word(size=size), np.random.default_rng(n))) for n in range(60)]
        assert np.median(kept) == pytest.approx(ink(word(size=size)), rel=0.25) and min(kept) > 0.1


@pytest.mark.parametrize(("name", "most"), [("cutout", 0.1), ("hideandseek", 0.9), ("gridmask", 0.45)])
def test_what_is_left_out_has_the_mean_level(name, most):
    """An eighth of 32x100 at most, half of the cells, a quarter of the grid."""
    image = word("RGB")
    mean = levels(image).mean((0, 1)).astype(int)
    shares = []
    for n in range(40):
        found = levels(PICTURES[name](image, Random(n)))
        changed = (found != levels(image)).any(2)
        assert (found[changed] == mean).all()
        shares.append(changed.mean())
    assert 0 < max(shares) <= most


def test_random_erasing_leaves_half_of_the_pictures_alone():
    changed = [(levels(PICTURES["randomerasing"](word(), Random(n))) != levels(word())).mean() for n in range(60)]
    assert 15 < sum(share == 0 for share in changed) < 45 and max(changed) <= 0.41


def test_policies_name_operations_that_there_are():
    """All 14 of RandAugment, and those of the 25 pairs."""
    assert len(OPERATIONS) == 14 and len(IMAGENET) == 25
    assert {name for pair in IMAGENET for name, _, _ in pair} <= set(OPERATIONS)
    for operation in OPERATIONS.values():
        assert operation(word("RGB"), 1.0, Random(0)).size == (100, 32)


@pytest.mark.parametrize("name", MIXES)
def test_mixtures_say_what_they_are_made_of(name):
    """The share is that of the loss: pictures of one level each show it."""
    images = np.arange(4, dtype=np.float32)[:, None, None, None] * np.ones((1, 3, 8, 12), np.float32)
    for n in range(20):
        mixed, again = (MIXES[name](images, np.random.default_rng(n)) for _ in range(2))
        np.testing.assert_array_equal(mixed.images, again.images)
        assert mixed.images.dtype == np.float32 and mixed.images.shape == images.shape and 0 <= mixed.share <= 1
        own = np.arange(4) * mixed.share + mixed.partners * (1 - mixed.share)
        np.testing.assert_allclose(mixed.images.mean((1, 2, 3)), own, atol=1e-5)
