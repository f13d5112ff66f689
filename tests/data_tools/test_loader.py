"""Batches: complete, reproducible, resumable, and honest about what they leave out."""

import itertools
import logging
from collections import Counter

import numpy as np
import pytest

from data_tools.errors import UserError
from data_tools.loader import REFUSED, text_loader
from data_tools.readers import open_reader
from data_tools.transforms import ResizeFixed, ResizeProportional

FIXED = ResizeFixed(16, 40)


def shade(image, rng: np.random.Generator):
    """An augmentation that shows its random numbers in the pixels."""
    level = int(rng.integers(0, 256))
    return image.point(lambda value: level)


def stretch(image, rng: np.random.Generator):
    """An augmentation that gives every picture a width of its own."""
    return image.resize((int(rng.integers(10, 120)), 16))


def rows(batch):
    return zip(batch.keys, batch.images, batch.widths.tolist())


def same(left, right) -> bool:
    return len(left) == len(right) and all(
        a.keys == b.keys
        and a.texts == b.texts
        and np.array_equal(a.images, b.images)
        and np.array_equal(a.widths, b.widths)
        for a, b in zip(left, right)
    )


def keys(batches) -> list[str]:
    return [key for batch in batches for key in batch.keys]


def spoil(root, *numbers) -> None:
    for number in numbers:
        (root / "image" / f"{number}.png").write_bytes(b"\x89PNG broken")


def test_a_validation_pass_gives_every_sample_once_in_order(folder):
    reader = open_reader(folder(25))
    batches = list(text_loader(reader, FIXED, 8).batches())
    assert [batch.images.shape for batch in batches] == [(8, 1, 16, 40)] * 3 + [(1, 1, 16, 40)]
    assert keys(batches) == [f"{i}.png" for i in range(25)]
    assert batches[0].texts[0] == reader[0].text
    assert batches[0].images.dtype == np.float32 and batches[0].widths.dtype == np.int32
    assert np.array_equal(batches[2].images[3], FIXED(reader[19].image))


def test_the_same_seed_gives_the_same_batches_for_any_number_of_workers(folder):
    reader = open_reader(folder(30))
    options = {"seed": 5, "shuffle": True, "augment": shade}
    inline, one, two = (text_loader(reader, FIXED, 4, workers=workers, **options) for workers in (0, 1, 2))
    for epoch in (0, 3):
        wanted = list(inline.batches(epoch))
        assert same(wanted, list(one.batches(epoch))) and same(wanted, list(two.batches(epoch)))
    one.close(), two.close()


def test_seeds_and_epochs_differ_in_order_and_augmentation(folder):
    reader = open_reader(folder(30))
    first, other = (text_loader(reader, FIXED, 30, seed=seed, shuffle=True, augment=shade) for seed in (1, 2))
    a, b, c = next(first.batches(0)), next(first.batches(1)), next(other.batches(0))
    assert len({tuple(batch.keys) for batch in (a, b, c)}) == 3
    assert sorted(a.keys) == sorted(b.keys)
    level = [{key: image[0, 0, 0] for key, image in zip(batch.keys, batch.images)} for batch in (a, b, c)]
    assert sum(level[0][key] == level[1][key] for key in a.keys) < 5
    assert sum(level[0][key] == level[2][key] for key in a.keys) < 5


@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_epoch_goes_on_with_the_batches_that_were_left(folder, workers):
    reader = open_reader(folder(30))
    loader = text_loader(reader, FIXED, 4, shuffle=True, augment=shade, workers=workers)
    whole = list(loader.batches(7))
    assert len(whole) == loader.batches_per_epoch == 8
    assert same(whole[5:], list(loader.batches(7, start=5)))
    assert list(loader.batches(7, start=8)) == []
    loader.close()


@pytest.mark.parametrize(("count", "batch_size", "ranks"), [(30, 8, 2), (29, 9, 3), (5, 4, 4)])
def test_ranks_share_each_global_batch_without_overlap(folder, count, batch_size, ranks):
    reader = open_reader(folder(count))
    alone = list(text_loader(reader, FIXED, batch_size, shuffle=True).batches(1))
    shards = [
        list(text_loader(reader, FIXED, batch_size, shuffle=True, rank=rank, ranks=ranks).batches(1))
        for rank in range(ranks)
    ]
    assert {len(shard) for shard in shards} == {len(alone)}
    for number, batch in enumerate(alone):
        parts = [shard[number] for shard in shards]
        assert sorted(batch.keys) == sorted(keys(parts))
        assert all(part.images.shape == (len(part.texts), 1, 16, 40) for part in parts)


def test_narrower_pictures_are_padded_at_the_right_and_keep_their_width(folder):
    reader = open_reader(folder(10))
    policy = ResizeProportional(16, 8, 80, 8)
    batch = next(text_loader(reader, policy, 10).batches())
    own = [policy(reader[i].image) for i in range(10)]
    assert batch.widths.tolist() == [each.shape[2] for each in own] and len(set(batch.widths)) > 1
    for image, each in zip(batch.images, own):
        assert np.array_equal(image[:, :, : each.shape[2]], each) and not image[:, :, each.shape[2] :].any()


def test_bad_samples_are_counted_named_and_not_replaced(folder, caplog):
    root = folder(30)
    spoil(root, 4, 11)
    (root / "image" / "17.png").unlink()
    loader = text_loader(open_reader(root), FIXED, 10)
    with caplog.at_level(logging.WARNING):
        batches = list(loader.batches())
    assert [len(batch.texts) for batch in batches] == [9, 8, 10]
    assert keys(batches) == [f"{i}.png" for i in range(30) if i not in (4, 11, 17)]
    assert loader.skipped == {"the image cannot be decoded": 2, "the image file is missing": 1}
    assert all(f"{name}.png" in caplog.text for name in (4, 11, 17))
    assert same(batches, list(text_loader(open_reader(root), FIXED, 10, workers=2).batches()))


def test_more_bad_samples_than_the_stated_share_end_the_run(folder):
    root = folder(20)
    spoil(root, 1, 2, 3)
    with pytest.raises(UserError, match=r"3 of .* 10%"):
        list(text_loader(open_reader(root), FIXED, 4).batches())
    assert len(keys(text_loader(open_reader(root), FIXED, 4, max_corrupt=0.2).batches())) == 17


def test_a_set_without_one_good_sample_says_so(folder):
    root = folder(3)
    spoil(root, 0, 1, 2)
    with pytest.raises(UserError, match="not one of 3"):
        list(text_loader(open_reader(root), FIXED, 4, max_corrupt=1).batches())


@pytest.mark.parametrize("workers", [0, 1])
def test_a_label_policy_maps_drops_and_may_refuse(folder, workers):
    reader = open_reader(folder(20))
    loader = text_loader(
        reader, FIXED, 20, accept=lambda text: text.lower() if text.isalpha() else None, workers=workers
    )
    batch = next(iter(list(loader.batches())))
    assert batch.texts[:3] == ["exit", "hotel", "open"] and loader.skipped == {REFUSED: 4}
    assert len(batch.images) == len(batch.widths) == len(batch.keys) == len(batch.texts) == 16
    assert np.array_equal(batch.images[4], FIXED(reader[5].image))

    def refuse(text):
        raise UserError(f"{text}: has characters outside the character set")

    with pytest.raises(UserError, match="outside the character set"):
        list(text_loader(reader, FIXED, 20, accept=refuse, workers=workers).batches())
    loader.close()


def test_the_small_batch_at_the_end_can_be_left_out(folder):
    loader = text_loader(open_reader(folder(10)), FIXED, 4, drop_last=True)
    assert [len(batch.texts) for batch in loader.batches()] == [4, 4] and loader.batches_per_epoch == 2
    with pytest.raises(UserError, match="less than one batch"):
        text_loader(open_reader(folder(3, "small")), FIXED, 4, drop_last=True)


def test_batches_that_cannot_be_shared_and_empty_readers_are_refused(folder):
    reader = open_reader(folder(4))
    for options in ({"rank": 2, "ranks": 2}, {"ranks": 5}, {"rank": -1}):
        with pytest.raises(UserError, match="rank"):
            text_loader(reader, FIXED, 4, **options)
    with pytest.raises(UserError, match="empty"):
        text_loader([], FIXED, 4)


def test_workers_read_an_lmdb_and_nested_sets_too(usual_lmdb, tmp_path):
    usual_lmdb(12, "train/MJ/MJ_train")
    usual_lmdb(9, "train/ST")
    reader = open_reader(tmp_path / "train")
    loader = text_loader(reader, FIXED, 5, shuffle=True, workers=2)
    assert sorted(keys(loader.batches())) == sorted(reader[i].key for i in range(21))
    loader.close()


PROPORTIONAL = ResizeProportional(16, 8, 200, 4)


def test_a_window_sorts_by_width_and_loses_nothing(folder):
    reader = open_reader(folder(30))
    plain = text_loader(reader, PROPORTIONAL, 4, shuffle=True, augment=stretch)
    sorted_ = text_loader(reader, PROPORTIONAL, 4, shuffle=True, augment=stretch, window=3)
    before, after = list(plain.batches(2)), list(sorted_.batches(2))
    assert [len(batch.texts) for batch in after[:6]] == [4] * 6 and len(after) == len(before) == 8
    images = {key: image[:, :, :width] for batch in before for key, image, width in rows(batch)}
    for first in (0, 3, 6):
        one, other = before[first : first + 3], after[first : first + 3]
        assert sorted(keys(one)) == sorted(keys(other))
        spans = sorted((int(batch.widths.min()), int(batch.widths.max())) for batch in other)
        assert all(left[1] <= right[0] for left, right in itertools.pairwise(spans))
    texts = {sample.key: sample.text for sample in map(reader.__getitem__, range(30))}
    for batch in after:
        assert [texts[key] for key in batch.keys] == batch.texts and batch.images.shape[3] == batch.widths.max()
        assert all(np.array_equal(image[:, :, :width], images[key]) for key, image, width in rows(batch))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_window_resumes_at_any_batch(folder, workers):
    reader = open_reader(folder(30))
    loader = text_loader(reader, PROPORTIONAL, 4, shuffle=True, augment=stretch, window=3, workers=workers)
    whole = list(loader.batches(1))
    for start in (1, 3, 5, 7, 8):
        assert same(whole[start:], list(loader.batches(1, start)))
    loader.close()


def test_a_window_counts_bad_samples_once_and_ranks_stay_in_step(folder, caplog):
    root = folder(24)
    spoil(root, 3, 9)
    reader = open_reader(root)
    loader = text_loader(reader, PROPORTIONAL, 4, augment=stretch, window=3, max_corrupt=0.5)
    batches = list(loader.batches())
    assert len(batches) == 6 and len(keys(batches)) == 22 and sum(loader.skipped.values()) == 2
    parts = [text_loader(reader, PROPORTIONAL, 4, window=3, rank=rank, ranks=2, max_corrupt=0.5) for rank in (0, 1)]
    halves = [keys(part.batches()) for part in parts]
    assert sorted(halves[0] + halves[1]) == sorted(keys(batches))


def test_a_window_of_none_is_refused(folder):
    with pytest.raises(UserError, match="window is 0"):
        text_loader(open_reader(folder(4)), PROPORTIONAL, 2, window=0)


@pytest.mark.parametrize("workers", [0, 2])
def test_echoed_samples_come_several_times_and_a_resumed_pass_goes_on_exactly(folder, workers):
    reader = open_reader(folder(66))
    options = {"window": 4, "echo": 2, "shuffle": True, "augment": stretch, "workers": workers}
    loader = text_loader(reader, ResizeProportional(16, 8, 80, 8), 2, **options)
    whole = list(loader.batches(3))
    assert len(whole) == loader.batches_per_epoch == 64
    uses = Counter(keys(whole))
    assert len(uses) == 64 and uses.total() == 128
    window = [set(keys(whole[start : start + 4])) for start in range(0, 64, 4)]
    assert all(not window[n] & window[n + 1] for n in range(4, 15))
    for start in (1, 13, 40, 64):
        assert same(whole[start:], list(loader.batches(3, start=start)))
    loader.close()


@pytest.mark.parametrize(("window", "echo"), [(4, 3), (4, 0), (1, 2)])
def test_an_echo_that_does_not_divide_the_window_is_refused(folder, window, echo):
    with pytest.raises(UserError, match=f"echo is {echo}"):
        text_loader(open_reader(folder(8)), FIXED, 1, window=window, echo=echo)


def test_too_few_samples_to_echo_are_refused(folder):
    with pytest.raises(UserError, match="8 samples, too few to echo"):
        text_loader(open_reader(folder(8)), FIXED, 4, window=8, echo=2)
