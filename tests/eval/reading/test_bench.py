"""The bench of reading: all ways must bring the same words, or their speeds say nothing."""

import pytest

from eval.reading.bench import measure, prepare


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ways")
    return folder, prepare(folder, 8, seed=3, workers=0)


def test_every_stored_form_holds_the_same_labels_and_bytes(stored):
    readers = [make() for name, make in stored[1].items() if name != "rendered"]
    contents = [[reader.stored(i).content for i in range(8)] for reader in readers]
    assert contents[0] == contents[1] == contents[2]
    labels = [[reader.text(i).lower() for i in range(8)] for reader in readers]
    assert labels[0] == labels[1] == labels[2]


def test_every_way_is_timed_for_every_number_of_workers(stored):
    folder, ways = stored
    rows = list(measure(ways, folder, [0, 1], passes=2))
    assert [(row.way, row.workers) for row in rows] == [(way, number) for number in (0, 1) for way in ways]
    assert all(0 < row.least <= row.warm <= row.greatest for row in rows)
    assert all((row.cold is None) == (row.way == "rendered") for row in rows)
