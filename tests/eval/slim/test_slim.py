"""The slim bench: rows are made once, measured alike, and stand beside what was published."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from importlib.util import find_spec

import pytest
import yaml

from crnn_jt.backend import state
from crnn_jt.models import build
from crnn_jt.spec import to_dict
from crnn_jt.weights import Weights, save_weights
from data_tools.cli import main
from eval.__main__ import COMMANDS
from eval.slim.bench import Row
from eval.slim.engines import ENGINES
from eval.slim.report import format_json, format_table, make_rows, plot, read_rows
from tests.crnn_jt import tiny

ROWS = [
    Row("float", 3_700_000, 1_900_000, "accuracy", {"A": 90.0, "B": 80.0}, 4.0, "kernels"),
    Row("pact", 1_900_000, 1_900_000, "accuracy", {"A": 89.5, "B": 80.25}, 9.0, "jittor's operators"),
]


def test_published_figures_stand_beside_ours():
    """Of the model's kind; a dash where there is none."""
    head, first, second = make_rows(ROWS, "recognizer")
    assert first == ["as it is", "3.70", "1,900,000", "90.00", "80.00", "4.00", "kernels", "4.60", "65.81"]
    assert second[-2:] == ["1.50", "67.40"] and len(head) == len(second)
    assert make_rows(ROWS, "direction")[1][-2:] == ["-", "-"]
    assert "own data" in format_table(ROWS, "recognizer")
    assert len(plot(ROWS).axes[0].lines) == 2


def test_rows_are_kept_for_the_same_settings_alone():
    text = format_json(ROWS, [], {"weights": "a"})
    assert list(read_rows(text, {"weights": "a"}).values()) == ROWS
    assert read_rows(text, {"weights": "b"}) == read_rows("torn", {"weights": "a"}) == {}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """Runs the command on a tiny recogniser: its exit code."""
    root, spec = tmp_path_factory.mktemp("slim"), replace(tiny.model(), name="small")
    save_weights(root / "small.safetensors", Weights(state(tiny.lively(build(spec, 0))), spec))
    (root / "small.yaml").write_text(yaml.safe_dump(to_dict(tiny.config(spec))))
    data = tiny.write_set(root / "set", 8)

    def run(*more: object) -> int:
        shared = ["--weights", root / "small.safetensors", "--config", root / "small.yaml", "--data", data]
        shared += ["--train", data, "--val", data, "--out", root / "out", "--seconds", 0]
        sys.argv = list(map(str, ["eval", "slim", *shared, *more]))
        return main("eval", "", COMMANDS)

    return root, run


def test_rows_are_made_measured_and_kept(bench, capsys):
    """Float and calibrated: smaller, scores of the same pictures; again, nothing is made anew."""
    root, run = bench
    assert run("--rows", "float,ptq", "--plot", root / "slim.png") == 0
    document = json.loads((root / "out/slim.json").read_text())
    first, second = document["rows"]
    assert second["size"] < first["size"] and set(first["scores"]) == set(second["scores"]) == {"set"}
    assert "8 bits, calibrated" in (root / "out/slim.md").read_text() and (root / "slim.png").exists()
    (root / "out/ptq/calibrated.safetensors").unlink()
    assert run("--rows", "float,ptq") == 0
    assert json.loads((root / "out/slim.json").read_text())["rows"] == document["rows"]
    capsys.readouterr()


@pytest.mark.parametrize("engine", ENGINES)
def test_other_runtimes_read_the_calibrated_model(engine, bench, capsys):
    """The same pictures, in a file of 8 bits; where the package is missing that is said."""
    root, run = bench
    missing = [name for name in ("onnx", "onnxruntime", engine) if not find_spec(name)]
    code = run("--rows", f"ptq,{engine}", "--out", root / engine)
    if missing:
        assert code == 1 and "not installed" in capsys.readouterr().out
        pytest.skip(f"no {' and '.join(missing)}: make .venv/ready-bench")
    own, other = json.loads((root / engine / "slim.json").read_text())["rows"]
    assert code == 0 and other["engine"] == engine and other["size"] < 2.5 * own["size"]
    assert abs(other["scores"]["set"] - own["scores"]["set"]) <= 100 / 8 and own["parameters"] == other["parameters"]
    capsys.readouterr()


@pytest.mark.parametrize(
    ("more", "said"),
    [(("--rows", "float", "--steps", 3), "other settings"), (("--rows", "int4"), "--rows int4: there are float")],
)
def test_what_cannot_be_compared_is_refused(bench, more, said, capsys):
    _, run = bench
    assert run(*more) == 2
    assert said in capsys.readouterr().err.strip().splitlines()[-1]
