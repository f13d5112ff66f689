"""`python -m eval reading`: one document, a tidy disk, one line for a mistake."""

import json

from data_tools.cli import main
from eval.__main__ import COMMANDS


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
