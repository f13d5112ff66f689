"""Sets in stated shares: `--train A:2 B:1`."""

from __future__ import annotations

from collections import Counter

import pytest

from data_tools.errors import UserError
from data_tools.loader.collate import Texts
from data_tools.loader.loader import Loader
from data_tools.readers import open_readers
from data_tools.readers.mixed import Mixed, open_shares, split_share
from data_tools.sample import CorruptSample, Sample


class Numbered:
    """Samples named by their place."""

    def __init__(self, count: int, bad: int = -1):
        self.count, self.bad = count, bad

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        if index == self.bad:
            raise CorruptSample(str(index), "the image is empty")
        return Sample(None, "text", str(index))


def mix(shares=(2.0, 1.0), seed: int = 1, size: int = 600) -> Mixed:
    return Mixed([("a", Numbered(40)), ("b", Numbered(7))], shares, seed, size)


def test_every_batch_has_the_shares():
    """Not on the average of many: a small set is in each of them."""
    loader = Loader(mix(), Texts(), 12)
    for batch in loader.batches():
        assert Counter(key[0] for key in batch.keys) == {"a": 8, "b": 4}
    uneven = Loader(mix((0.7, 0.3)), Texts(), 10)
    assert all(Counter(key[0] for key in batch.keys) == {"a": 7, "b": 3} for batch in uneven.batches())


def test_a_set_gives_all_its_samples_before_it_gives_one_again():
    mixed = mix()
    keys = [mixed[place].key for place in range(600)]
    small = [key for key in keys if key[0] == "b"]
    passes = [small[at : at + 7] for at in range(0, 7 * (len(small) // 7), 7)]
    assert all(sorted(each) == [f"b/{n}" for n in range(7)] for each in passes)
    assert len({tuple(each) for each in passes}) > 10, "each pass has an order of its own"
    assert len({key for key in keys if key[0] == "a"}) == 40


def test_samples_follow_from_seed_and_position_alone():
    """A resumed run goes on with what the uninterrupted one would have learnt from, on any number of workers."""
    mixed, again = mix(), mix()
    forwards = [mixed[place].key for place in range(600)]
    assert forwards == [again[place].key for place in reversed(range(600))][::-1]
    assert forwards != [mix(seed=2)[place].key for place in range(600)]
    whole = [batch.keys for batch in Loader(mix(), Texts(), 12, workers=2).batches()]
    assert [batch.keys for batch in Loader(mix(), Texts(), 12).batches(0, 20)] == whole[20:]
    ranks = [[batch.keys for batch in Loader(mix(), Texts(), 12, rank=rank, ranks=2).batches()] for rank in (0, 1)]
    assert [sorted(one + two) for one, two in zip(*ranks)] == [sorted(keys) for keys in whole]


def test_a_bad_sample_is_named_with_its_set():
    mixed = Mixed([("a", Numbered(3, bad=1)), ("b", Numbered(3))], [1, 1], 0, 6)
    with pytest.raises(CorruptSample) as caught:
        for place in range(6):
            mixed[place]
    assert caught.value.key == "a/1"


def test_a_path_with_a_colon_is_a_path(folder, tmp_path):
    """What is there as it is written wins."""
    path = folder(3, "set:2")
    assert split_share(str(path)) == (str(path), None) and split_share(f"{path}:0.5") == (str(path), 0.5)
    assert len(open_shares([str(path)], 0, 100)) == 3
    mixed = open_shares([f"{path}:3", str(folder(2, "other"))], 0, 100)
    assert Counter(mixed[place].key.startswith(str(path)) for place in range(100)) == {True: 75, False: 25}


def test_sets_without_shares_are_one_set_as_before(folder):
    paths = [str(folder(3, "one")), str(folder(2, "two"))]
    assert len(open_shares(paths, 0, 100)) == len(open_readers(paths)) == 5


@pytest.mark.parametrize(
    "share, said",
    [
        ("0", "a share of 0 cannot be mixed"),
        ("-1", "a share of -1"),
        ("nan", "a share of nan"),
        ("inf", "a share of inf"),
        ("1e-9", "too far apart"),
        ("two", "there is no such file or folder"),
    ],
)
def test_a_share_that_is_none_is_one_line(folder, share, said):
    with pytest.raises(UserError, match=said):
        open_shares([f"{folder(2, 'one')}:{share}", str(folder(2, "two"))], 0, 100)
