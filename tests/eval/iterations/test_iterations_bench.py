"""`python -m eval iterations`: what stands in the table is what `eval words` counts; words are shown as they come."""

from __future__ import annotations

import json

import pytest

from crnn_jt.backend import state
from crnn_jt.models import build
from crnn_jt.weights import Weights, save_weights
from data_tools.cli import main
from eval.__main__ import COMMANDS
from eval.iterations.bench import Result, Word, choose_words
from tests.crnn_jt import tiny
from tests.crnn_jt.test_abinet import spec


def word(index: int, truth: str, *readings: str) -> Word:
    return Word("SVT", index, str(index), truth, readings)


def test_mended_and_spoilt_words_are_told_apart():
    words = [word(0, "ab", "ac", "ab"), word(1, "ab", "ab", "ac"), word(2, "ab", "x", "y"), word(3, "ab", "ab", "ab")]
    result = Result("SVT", [], words)
    assert (result.mended, result.spoilt) == (1, 1)
    assert [one.index for one in choose_words([result], 10)] == [0, 1, 2]
    assert [one.index for one in choose_words([result], 2)] == [0, 2]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    made = tiny.lively(build(spec()))
    path = tmp_path_factory.mktemp("weights") / "abinet.safetensors"
    save_weights(path, Weights(state(made), made.spec))
    return path


def evaluate(capsys, *words) -> str:
    assert main("eval", "", COMMANDS, [str(word) for word in words]) == 0
    return capsys.readouterr().out


def test_the_last_iteration_counts_as_eval_words_does(weights, tmp_path, capsys):
    root = tiny.write_set(tmp_path / "root/SVT", 12).parent
    files = ("--plot", tmp_path / "words.png", "--markdown", tmp_path / "words.md")
    own = ("iterations", "--root", root, "--weights", weights, "--json", *files)
    found = json.loads(evaluate(capsys, *own))["sets"]["SVT"]
    plain = evaluate(capsys, "words", "--root", root, "--weights", weights, "--lexicons", "none", "--json")
    expected = json.loads(plain)["sets"]["SVT"]
    assert found["n"] == expected["n"] and len(found["iterations"]) == 3
    assert found["iterations"][-1]["cer"] == pytest.approx(expected["none"]["cer"])
    table = (tmp_path / "words.md").read_text()
    assert "| vision alone |" in table and "| iteration 2 |" in table
    assert (tmp_path / "words.png").exists() == ("| set | label |" in table)


def test_a_model_without_a_corrector_is_one_line(tmp_path, capsys):
    root = tiny.write_set(tmp_path / "root/SVT", 2).parent
    assert main("eval", "", COMMANDS, ["iterations", "--root", str(root), "--weights", "crnn-light"]) == 2
    assert "has no corrector" in capsys.readouterr().err
