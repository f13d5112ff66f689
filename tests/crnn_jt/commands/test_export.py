"""`python -m crnn_jt export`: one line says what was written and how near it is, or what is wrong."""

from __future__ import annotations

import json

import pytest

from crnn_jt import export
from crnn_jt.__main__ import COMMANDS
from data_tools.cli import main
from data_tools.errors import UserError

DONE = export.Exported("tiny.onnx", 6_300_000, 17, [(3, 1, 32, 100), (1, 1, 32, 150)], "logits", 2e-6)


@pytest.fixture
def exported(monkeypatch):
    """Names what would be exported, without doing it."""
    asked = []
    monkeypatch.setattr("crnn_jt.weights.load_weights", lambda name: f"weights of {name}")
    monkeypatch.setattr("crnn_jt.export.export_onnx", lambda weights, out: asked.append((weights, out)) or DONE)
    return asked


def test_it_says_what_was_written_and_checked(exported, capsys):
    assert main("crnn_jt", "", COMMANDS, ["export", "--weights", "mine", "--out", "tiny.onnx"]) == 0
    assert exported == [("weights of mine", "tiny.onnx")]
    out = capsys.readouterr().out
    assert "6.3 MB, opset 17" in out and "3x1x32x100, 1x1x32x150" in out
    assert "logits as the model's own within 2.0e-06" in out


def test_json_is_one_document(exported, capsys):
    assert main("crnn_jt", "", COMMANDS, ["export", "--out", "tiny.onnx", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["compared"] == [[3, 1, 32, 100], [1, 1, 32, 150]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "x.onnx", "--format", "tflite"], "--format tflite: it takes onnx"),
        (["--out", "x.onnx", "--weights", "no-such-model"], "no-such-model"),
        ([], "out"),
    ],
)
def test_mistakes_are_one_line(words, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main("crnn_jt", "", COMMANDS, ["export", *words]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1 and not list(tmp_path.iterdir())


def test_what_stops_the_export_is_said(monkeypatch, capsys):
    def refuse(weights, out):
        raise UserError(f"{out}: not written; ONNX Runtime's logits differ")

    monkeypatch.setattr("crnn_jt.weights.load_weights", lambda name: None)
    monkeypatch.setattr("crnn_jt.export.export_onnx", refuse)
    assert main("crnn_jt", "", COMMANDS, ["export", "--out", "x.onnx"]) == 2
    assert "not written" in capsys.readouterr().err
