"""`python -m eval directions`: who is asked, of what, and how it is counted."""

from __future__ import annotations

import json

import numpy as np
import pytest

from data_tools.cli import main
from eval.__main__ import COMMANDS
from eval.directions import bench
from eval.words.sets import find_sets
from tests.crnn_jt import tiny


@pytest.fixture
def root(tmp_path):
    """Six drawn words, one of them too short, and one that stands on end."""
    root = tiny.write_set(tmp_path / "root/SVT", 6, labels={1: "a", 2: "abc", 3: "abcd"})
    tiny.draw("on end", (20, 64)).save(root / "image/2.png")
    return root.parent


class Judges:
    """Right of what is as drawn; of what is turned round it is right for the first picture of all."""

    def __init__(self):
        self.asked = 0

    def overturned(self, pictures):
        self.asked += 1
        found = np.full(len(pictures), 0.2)
        if self.asked % 2 == 0:
            found[0] = 0.9
        return found


def test_each_picture_is_judged_both_ways(root, monkeypatch):
    """What is short or tall is left out, and the rest counts twice."""
    monkeypatch.setattr(bench, "load", lambda weights: Judges())
    sets, problems = find_sets(root)
    (root / "SVT/image/5.png").write_bytes(b"no picture")
    [result] = bench.measure("anything", sets, problems)
    assert (result.n + result.left_out, len(problems)) == (5, 1) and "5.png" in problems[0]
    assert result.left_out >= 2 and result.right == result.n + 1 and result.told_apart == 1
    assert result.to_json()["accuracy"] == pytest.approx(100 * (result.n + 1) / (2 * result.n))
    assert len(bench.make_rows([result])[0]) == 5


def test_the_command_counts_and_refuses_in_one_line(root, tmp_path, capsys):
    weights = tiny.write_weights(tmp_path / "turn.safetensors", tiny.direction(), alive=True)
    asked = ["directions", "--root", str(root), "--weights", weights]
    assert main("eval", "", COMMANDS, [*asked, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sets"]["SVT"]["left_out"] >= 2
    assert main("eval", "", COMMANDS, [*asked, "--recognizer", "crnn-light", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sets"]["SVT"]["n"] >= 2
    for wrong, said in (
        (["--peer", "tesseract"], "--peer is 'tesseract'"),
        (["--sets", "IC15"], "IC15"),
        (["--recognizer", "db-light"], "not a recogni"),
        (["--weights", "crnn-light"], "not a direction"),
    ):
        assert main("eval", "", COMMANDS, [*asked, *wrong]) == 2
        assert said in capsys.readouterr().err
