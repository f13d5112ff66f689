"""Collates: what reaches a model is what the sample said, whichever kind of batch it comes in."""

import numpy as np
import pytest
from PIL import Image

from data_tools.errors import UserError
from data_tools.loader import Loader, Photos, Scales, TextLines, Texts
from data_tools.readers import open_reader
from data_tools.sample import Region, Sample
from data_tools.transforms import ResizeFixed, ResizeProportional, normalise


class Scribbles:
    """Texts without pictures."""

    def __len__(self):
        return 10

    def __getitem__(self, index: int) -> Sample:
        return Sample(None, "x" * (index % 5 + 1), f"text-{index}")


class Photographs:
    """Grey photographs of several sizes, each with a white square as its first region and an unreadable second one."""

    def __len__(self):
        return 6

    def __getitem__(self, index: int) -> Sample:
        pixels = np.full((40 + 10 * index, 60, 3), 90, np.uint8)
        pixels[10:20, 20:40] = 255
        square = np.array([[20, 10], [40, 10], [40, 20], [20, 20]], np.float32)
        triangle = np.array([[0, 0], [8, 0], [0, 8]], np.float32)
        regions = (Region(square, f"café\n{index}"), Region(triangle, "", legible=False))
        return Sample(Image.fromarray(pixels), "", f"photo-{index}", regions=regions if index else ())


def mark(regions, height, width):
    """A detector's target: the boxes of what is legible."""
    target = np.zeros((height, width), np.uint8)
    for region in regions:
        if region.legible:
            (left, top), (right, bottom) = region.polygon.min(0).round().astype(int), region.polygon.max(0).astype(int)
            target[top:bottom, left:right] = 1
    return {"text": target}


def flip(sample: Sample, rng: np.random.Generator) -> Sample:
    """An augmentation that darkens the picture by a random amount."""
    level = int(rng.integers(0, 90))
    return Sample(sample.image.point(lambda value: value - level), sample.text, sample.key, regions=sample.regions)


def shade(image, rng: np.random.Generator):
    level = int(rng.integers(0, 256))
    return image.point(lambda value: level)


@pytest.mark.parametrize("workers", [0, 2])
def test_texts_alone_come_without_pictures_sorted_by_their_length(workers):
    """A language model learns from word lists, which have no pictures."""
    loader = Loader(Scribbles(), Texts(), 2, window=5, workers=workers, accept=str.upper)
    batches = list(loader.batches())
    loader.close()
    assert sorted(key for batch in batches for key in batch.keys) == sorted(f"text-{n}" for n in range(10))
    assert all(len(batch) == 2 and batch.texts[0] == batch.texts[1] and batch.texts[0].isupper() for batch in batches)


@pytest.mark.parametrize("workers", [0, 1])
def test_photographs_fit_their_frame_and_their_regions_lie_where_the_text_is(workers):
    loader = Loader(Photographs(), Photos(64, 48, targets=mark), 4, workers=workers)
    first, last = loader.batches()
    loader.close()
    assert first.images.shape == (4, 3, 64, 48) and len(last) == 2 and last.keys == ["photo-4", "photo-5"]
    assert (
        first.sizes.tolist() == [[32, 48], [40, 48], [48, 48], [56, 48]]
        and first.scales.tolist() == [pytest.approx(0.8)] * 4
    )
    assert first.regions[0] == () and not first.targets["text"][0].any()
    for image, (height, width), regions, target in zip(first.images, first.sizes, first.regions, first.targets["text"]):
        assert not image[:, height:].any() and not image[:, :, width:].any()
        for region in regions[:1]:
            assert region.polygon == pytest.approx(np.array([[16, 8], [32, 8], [32, 16], [16, 16]]), abs=1e-5)
            assert region.legible and region.text.startswith("café\n")
            assert (image[:, 9:15, 18:30] > 0.9).all() and target.dtype == np.float32
            assert target[8:16, 16:32].all() and target.sum() == 8 * 16
        assert [region.legible for region in regions[1:]] == [False] * len(regions[1:])


def test_augmented_photographs_differ_by_epoch_and_are_the_same_for_a_seed():
    loader = Loader(Photographs(), Photos(64, 48, augment=flip), 6, seed=3)
    (a,), (b,), (again,) = (list(loader.batches(epoch)) for epoch in (0, 1, 0))
    assert np.array_equal(a.images, again.images) and not np.array_equal(a.images, b.images)


@pytest.mark.parametrize("workers", [0, 1])
def test_scales_are_of_one_picture_with_one_augmentation(folder, workers):
    """A student that sees another augmentation than its teacher is taught something else than it sees."""
    reader = open_reader(folder(9))
    large, small = TextLines(ResizeFixed(32, 80), shade), TextLines(ResizeFixed(16, 40), shade)
    both = Loader(reader, Scales((large, small)), 4, workers=workers, accept=str.lower)
    alone = Loader(reader, large, 4, accept=str.lower)
    for batch, wanted in zip(list(both.batches()), alone.batches(), strict=True):
        one, other = batch.parts
        assert len(batch) == len(wanted) and batch.keys == one.keys == other.keys == wanted.keys
        assert one.texts == other.texts == wanted.texts and np.array_equal(one.images, wanted.images)
        assert other.images.shape[1:] == (1, 16, 40)
        assert np.array_equal(other.images[:, 0, 0, 0], one.images[:, 0, 0, 0])
    both.close()


def test_photographs_at_two_scales_keep_their_regions_in_proportion():
    (batch,) = Loader(Photographs(), Scales((Photos(64, 48, targets=mark), Photos(32, 24))), 6).batches()
    large, small = batch.parts
    assert large.images.shape[2:] == (64, 48) and small.images.shape[2:] == (32, 24) and not small.targets
    for ours, theirs in zip(large.regions, small.regions):
        assert all(np.allclose(a.polygon, 2 * b.polygon) and a.text == b.text for a, b in zip(ours, theirs))


@pytest.mark.parametrize(
    "collate", [TextLines(ResizeProportional(16, 8, 80, 8)), Texts(), Photos(64, 48), Scales((Photos(64, 48), Texts()))]
)
def test_a_batch_may_be_empty(collate):
    """Where all samples of a rank's share are bad, the other ranks still wait for it."""
    assert len(collate.batch([])) == 0 and list(collate.batch([]).keys) == []


def test_text_lines_of_one_width_and_of_several_have_the_pixels_of_their_pictures():
    rng = np.random.default_rng(1)
    for widths in ((20, 20, 20), (20, 8, 16)):
        for channels in (1, 3):
            pixels = [rng.integers(0, 256, (channels, 8, width), dtype=np.uint8) for width in widths]
            records = [{"pixels": each, "text": "a", "key": str(n)} for n, each in enumerate(pixels)]
            batch = TextLines(ResizeProportional(8, 8, 40, 4, channels)).batch(records)
            assert batch.images.dtype == np.float32 and batch.images.shape == (3, channels, 8, 20)
            for image, own in zip(batch.images, pixels):
                assert np.array_equal(image[:, :, : own.shape[2]], normalise(own))
                assert not image[:, :, own.shape[2] :].any()


def test_a_window_below_one_is_refused_for_any_collate():
    with pytest.raises(UserError, match="window is 0"):
        Loader(Scribbles(), Texts(), 2, window=0)
