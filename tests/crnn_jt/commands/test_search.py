"""`search`: both steps from the command line, end to end on a small space, and gone on with after a cut."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import yaml

from crnn_jt.layers import Choice
from crnn_jt.search import latency, runs, space
from crnn_jt.spec import StageSpec, read_config, to_dict
from crnn_jt.weights import load_weights
from tests.crnn_jt import tiny

EXTRACTOR = StageSpec("autostr", {"operations": ["k3e1"] * 5, "width": 0.0625})


@pytest.fixture
def config(tmp_path):
    given = tiny.config(replace(tiny.model(), extractor=EXTRACTOR), steps=2, validate_every=2, checkpoint_every=1)
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(to_dict(given)))
    return path


def test_operations_end_in_a_configuration_and_weights_that_train(crnn_jt, config, data, tmp_path, caplog):
    """found.yaml names the operations; a training goes on from found.safetensors with all of its arrays."""
    out = tmp_path / "operations"
    sets = ("--train", data, "--val", data)
    own = ("--search-data", data, "--warm-up", 2, "--every", 2, "--goal", 0.1, "--steps", 6, "--json")
    code, printed, _ = crnn_jt("search", "operations", "--config", config, "--out", out, *sets, *own)
    rows = json.loads(printed)
    assert not code and len(rows) == 5 and all(row["share"] >= 1 / 7 for row in rows)
    found = read_config(out / "found.yaml")
    assert found.model.extractor.options["operations"] == [row["operation"] for row in rows]
    assert found.task is None and not found.train.groups and found.train.optimizer == "adamw"
    weights = load_weights(out / "found.safetensors")
    assert weights.spec.extractor.name == "plan" and not any("alphas" in key for key in weights.arrays)
    again = ("--init", out / "found.safetensors", "--steps", 1)
    with caplog.at_level("INFO"):
        code, _, _ = crnn_jt("train", "--config", out / "found.yaml", "--out", tmp_path / "more", *sets, *again)
    assert not code and "fresh: none" in caplog.text


def test_latencies_are_measured_once_and_kept(crnn_jt, config, data, tmp_path, monkeypatch):
    """The run's own table is weighed when it goes on; what goes with no latency is refused."""
    monkeypatch.setattr(latency, "measure_table", lambda plan, before: made(plan))
    out = tmp_path / "operations"
    line = ("search", "operations", "--config", config, "--train", data, "--val", data, "--search-data", data)
    own = ("--warm-up", 1, "--every", 2, "--steps", 3, "--cost", "latency", "--goal", 50, "--out", out)
    assert not crnn_jt(*line, *own)[0]
    table = read_config(out / "spec.yaml").task.options["latencies"]
    assert json.loads((out / "latency.json").read_text()) == table and len(table) == 6
    again = ("--out", tmp_path / "again", "--latencies", out / "latency.json")
    monkeypatch.setattr(latency, "measure_table", None)
    assert not crnn_jt(*line, *own[:-2], *again)[0]
    for wrong, said in ((("--cost", "time"), "--cost is 'time'"), (again[2:], "--latencies: it goes with --cost")):
        code, _, err = crnn_jt(*line, "--steps", 1, "--out", tmp_path / "wrong", *wrong)
        assert code == 2 and said in err and not (tmp_path / "wrong").exists()
    code, _, err = crnn_jt("search", "paths", "--config", config, "--out", tmp_path / "wrong", "--cost", "latency")
    assert code == 2 and "it goes with `search operations`" in err


def made(plan) -> dict:
    """A table of a plan in which every candidate takes as long as the others."""
    counts = {str(place): len(layer.candidates) for place, layer in enumerate(plan) if isinstance(layer, Choice)}
    return {"fixed": (5.0,), **{place: (7.0,) * count for place, count in counts.items()}}


def test_paths_are_ranked_and_kept(crnn_jt, config, data, tmp_path, monkeypatch):
    """Best validation loss first; a search that was cut goes on with the next path, the finished one is kept."""
    monkeypatch.setattr(space, "typical_paths", lambda: ("AABBB", "ABABB"))
    out = tmp_path / "paths"
    line = ("search", "paths", "--config", config, "--train", data, "--val", data, "--out", out, "--samples", 8)
    code, printed, _ = crnn_jt(*line, "--json")
    rows = json.loads(printed)
    assert not code and [row["loss"] for row in rows] == sorted(row["loss"] for row in rows)
    assert {row["path"] for row in rows} == {"AABBB", "ABABB"} and rows == json.loads((out / "paths.json").read_text())
    kept = (out / "AABBB" / "result.json").read_text()
    (out / "ABABB" / "result.json").unlink()
    code, _, said = crnn_jt(*line)
    assert code == 2 and "holds a search already; add --resume" in said
    monkeypatch.setattr(runs, "validation_loss", lambda *_: 0.5)
    code, printed, _ = crnn_jt("search", "paths", "--resume", "--out", out, "--json")
    rows = json.loads(printed)
    assert not code and rows[0]["path"] == "ABABB" and rows[0]["loss"] == 0.5
    assert (out / "AABBB" / "result.json").read_text() == kept


def test_a_configuration_without_such_a_backbone_is_refused(crnn_jt, tmp_path):
    """One line that says what to name."""
    code, _, said = crnn_jt("search", "paths", "--config", "crnn-light", "--out", tmp_path / "run")
    assert code == 2 and "crnn-light: its extractor is light; a search takes one named autostr" in said
    assert not (tmp_path / "run").exists()
    code, _, said = crnn_jt("search", "paths", "--resume", "--out", tmp_path / "run")
    assert code == 2 and "start the search without --resume" in said
