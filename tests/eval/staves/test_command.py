"""The bench of scores must name what it measured and what it could not; its figures size a machine for others."""

import json

import pytest

from data_tools.cli import main
from eval.__main__ import COMMANDS
from eval.staves import bench, command

TINY = """
model:
  name: tiny-music
  image: {channels: 1, height: 32, width: 128}
  labels: {characters: '', vocabulary: semantic, max_length: 8, outside: drop-sample}
  extractor: {name: staff_light, width: 0.1}
  refiner: {name: bilstm, hidden: 8, depth: 1}
  generator: {name: ctc}
"""
QUICK = ["--pictures", "2", "--repeats", "1", "--train-batch", "2", "--train-steps", "1", "--threads", "1"]


def run(*options) -> int:
    return main("eval", "", COMMANDS, ["staves", *map(str, options)])


def test_a_tiny_model_is_measured_in_a_process_of_its_own(tmp_path, capsys):
    config = tmp_path / "tiny-music.yaml"
    config.write_text(TINY)
    assert run("--config", config, "--batches", "1,2", "--json", *QUICK) == 0
    document = json.loads(capsys.readouterr().out)
    found = document["models"]["tiny-music"]
    assert document["machine"]["processor"] and document["machine"]["threads"] == 1 and document["pictures"] == 2
    assert set(found["reading"]) == {"1", "2"}
    rates = [*found["reading"].values(), found["training"], found["finding"]]
    assert all(rate["images_per_s"] > 0 for rate in rates) and found["rendering"]["scores_per_s"] > 0
    assert found["training"]["batch"] == 2 and found["training"]["width"] == 128
    memory = found["memory"]
    assert 0 < memory["start_mb"] <= memory["long_staff_mb"] <= found["training"]["peak_mb"]
    assert memory["long_staff"] == [32, 128], "squeezed to the model's own width"


def test_a_model_that_breaks_is_named_and_the_others_are_measured(monkeypatch, capsys):
    def broken(job, folder):
        good = {"reading": {"1": rate, "16": rate}, "finding": rate, "memory": {"start_mb": 1, "long_staff_mb": 2}}
        return {"problem": "out of memory"} if job["model"] == "primus" else good

    rate = {"images_per_s": 12.34, "deviation": 0.5}
    monkeypatch.setattr(bench, "measure_apart", broken)
    monkeypatch.setattr(bench, "render", lambda *options: (["a.png"], 50.0))
    assert run(*QUICK) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "threads, wall clock" in lines[0]
    assert any(line.startswith("primus ") and line.endswith("left out: out of memory") for line in lines)
    assert sum(line.startswith(("primus-wide", "omr-light")) and "12.3 ± 0.5" in line for line in lines) == 2


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--batches", "one"], "--batches one"),
        (["--repeats", "0"], "--repeats is 0"),
        (["--train-batch", "0"], "--train-batch is 0"),
        (["--clock", "sun"], "clock"),
        (["--config", "crnn-light"], "reads words"),
        (["--weights", "nothere"], "nothere: no such weights"),
        (["--smoke", "--seed", "-1"], "--seed is -1"),
    ],
)
def test_a_mistake_is_one_line(options, why, capsys):
    assert run(*options) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert why in line


def test_the_smoke_test_says_how_far_it_came(monkeypatch, capsys):
    monkeypatch.setattr(command, "SMOKE_STEPS", 1)
    assert run("--smoke", "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["incipits"] == 64 and told["steps"] == 1 and told["right"] < 64
