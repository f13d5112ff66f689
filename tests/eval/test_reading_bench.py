"""The bench of reading: all ways must bring the same words, or their speeds say nothing."""

import json

import pytest

from data_tools.cli import main
from eval.__main__ import COMMANDS
from eval.reading_bench import measure, prepare


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


def test_the_command_prints_one_document_and_leaves_nothing_behind(tmp_path, capsys):
    words = ["reading", "--n", "4", "--workers", "0", "--passes", "1", "--root", str(tmp_path), "--json"]
    assert main("eval", "", COMMANDS, words) == 0
    document = json.loads(capsys.readouterr().out)
    assert len(document["rows"]) == 4 and document["machine"]["cores"] >= 1
    assert not list(tmp_path.iterdir())


def test_mistakes_are_one_line(tmp_path, capsys):
    for words in (["--workers", "two"], ["--n", "0"], ["--root", str(tmp_path / "gone")]):
        assert main("eval", "", COMMANDS, ["reading", *words]) == 2
        assert capsys.readouterr().err.count("\n") == 1
