"""`python -m eval speed`: options, mistakes, interruptions, and a tiny model measured for real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from argparse import Namespace

import pytest
from PIL import Image

from data_tools.cli import main
from data_tools.errors import UserError
from eval.__main__ import COMMANDS
from eval.speed import command
from eval.speed.tasks import INFERENCE


def parsed(**changes) -> Namespace:
    from jsonargparse import ArgumentParser

    parser = ArgumentParser()
    command.add_arguments(parser)
    return Namespace(**{**vars(parser.get_defaults()), **changes})


def test_quick_changes_defaults_but_not_what_is_asked_for():
    quick = command.parse_settings(parsed(quick=True, batches="8,2", only="inference,training"))
    assert quick.batches == {"inference": (2, 8), "training": (64,)} and quick.plan.repeats == 3
    full = command.parse_settings(parsed())
    assert (
        full.batches["inference"] == (1, 16, 64, 128) and full.batches["reading"] == (256,) and full.plan.repeats == 20
    )
    assert full.engines == INFERENCE


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"batches": "x"}, "--batches x"),
        ({"batches": "1,,2"}, "--batches 1,,2"),
        ({"train_batches": "0"}, "--train-batches 0"),
        ({"engines": "jittor,mxnet"}, "--engines mxnet"),
        ({"only": "sleeping"}, "--only sleeping"),
        ({"repeats": 0}, "--repeats is 0"),
        ({"threads": -1}, "--threads is -1"),
        ({"plot": "bars.xyz"}, "--plot bars.xyz"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_options_are_refused_before_anything_runs(words, said):
    with pytest.raises(UserError, match=said):
        command.parse_settings(parsed(**words))


def test_unknown_models_and_data_are_one_line(capsys, tmp_path):
    for words in (["--config", "no-such"], ["--weights", "no-such"], ["--data", str(tmp_path / "gone")]):
        assert main("eval", "", COMMANDS, ["speed", *words]) == 2
        assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_bench_that_is_stopped_leaves_nothing_behind(number, job, tmp_path):
    """Hundreds of pictures in the temporary folder, and engines at work, would outlive every stopped bench."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    line = [sys.executable, "-m", "eval", "speed", "--config", str(tmp_path / "tiny.yaml"), "--engines", "jittor"]
    line += ["--batches", "4", "--pictures", "4", "--train-batches", "4"]
    bench = subprocess.Popen(line, stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": str(scratch)}, text=True)
    while bench.poll() is None and not list(scratch.glob("*/job.jittor.log")):
        time.sleep(0.1)
    bench.send_signal(number)
    _, said = bench.communicate(timeout=120)
    assert bench.returncode == 130 and said.strip().splitlines()[-1] == "eval speed: interrupted"
    assert not list(scratch.iterdir())


def test_a_tiny_run_measures_every_task(job, tmp_path, capsys):
    """The real thing, with Jittor: a model, three pictures, one short turn."""
    pytest.importorskip("jittor_utils", reason="Jittor only: measures Jittor")
    (tmp_path / "set/image").mkdir(parents=True)
    for i in range(3):
        Image.new("L", (50, 20), 80 * i).save(tmp_path / f"set/image/{i}.png")
    (tmp_path / "set/gt.txt").write_text("".join(f"{i}.png ab\n" for i in range(3)), "utf-8")
    words = [
        "--config",
        str(tmp_path / "tiny.yaml"),
        "--data",
        str(tmp_path / "set"),
        "--engines",
        "jittor,onnxruntime",
    ]
    words += ["--batches", "4", "--train-batches", "4", "--pictures", "4", "--repeats", "2", "--seconds", "0"]
    words += ["--threads", "1", "--out", str(tmp_path / "out.json"), "--plot", str(tmp_path / "out.png"), "--json"]
    assert main("eval", "", COMMANDS, ["speed", *words]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads((tmp_path / "out.json").read_text()) and (tmp_path / "out.png").is_file()
    assert found["engines"]["tiny"]["jittor"]["start_s"] > 0, found["engines"]
    for task in ("inference", "training", "reading"):
        assert found[task]["tiny"]["4"]["jittor"]["images_per_s"] > 0
    assert found["machine"]["threads"] == 1 and found["data"] == [str(tmp_path / "set")]
    other = found["engines"]["tiny"]["onnxruntime"]
    assert other.get("difference", 0) < 1e-4 and ("problem" in other) == (
        "onnxruntime" not in found["inference"]["tiny"]["4"]
    )
    assert "onnxruntime" not in found["training"]["tiny"]["4"]
