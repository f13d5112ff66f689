"""Grouping must keep every sample, once, whoever asks and in whatever order."""

import pickle

import pytest

from data_tools.errors import UserError
from data_tools.grouped import Grouped
from data_tools.scores import RenderedScores


def test_every_sample_once_and_like_lengths_together():
    reader = RenderedScores(3, 70)
    grouped = Grouped(reader, window=32, batch=8)
    places = [grouped.place(index) for index in range(70)]
    assert sorted(places) == list(range(70)) and places != sorted(places)
    lengths = [len(grouped.text(index).split()) for index in range(64)]
    spread = [max(batch) - min(batch) for batch in (lengths[at : at + 8] for at in range(0, 64, 8))]
    assert sum(spread) / len(spread) < (max(lengths) - min(lengths)) / 2
    copy = pickle.loads(pickle.dumps(grouped))
    assert [copy.place(index) for index in (69, 0, 40)] == [grouped.place(index) for index in (69, 0, 40)]
    assert grouped[5].text == reader[places[5]].text


def test_wrong_sizes_are_refused():
    with pytest.raises(UserError, match="multiple of the batch"):
        Grouped(RenderedScores(0, 9), window=30, batch=8)
    with pytest.raises(IndexError):
        Grouped(RenderedScores(0, 9), window=8, batch=8).place(9)
