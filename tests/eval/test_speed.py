"""The speed bench: its ratios must be those of turns taken side by side, and one broken engine must not end it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from argparse import Namespace

import numpy as np
import pytest
from PIL import Image

from data_tools.cli import main
from data_tools.errors import UserError
from eval import engines, speed
from eval.__main__ import COMMANDS
from eval.commands import speed as command

TINY = """
model:
  name: tiny
  image: {channels: 1, height: 32, width: 40}
  labels: {characters: abcdefgh, max_length: 4}
  extractor: {name: light, width: 0.125}
  refiner: {name: bilstm, hidden: 8, depth: 1}
  generator: {name: ctc}
"""


class Fake:
    """An engine that takes a given time for each image, twice as long from turn to turn, or always fails."""

    def __init__(self, name, seconds, calls=3):
        self.name, self.seconds, self.calls, self.problem, self.drift = name, seconds, calls, "", 0.5
        self.order = []

    def ask(self, task, batch=0, seconds=0.0, least=0, infer=True):
        if task == "memory":
            return {"megabytes": 100}
        if self.seconds is None:
            self.problem = "RuntimeError: broken"
            return {}
        self.drift *= 2
        self.order.append(task)
        return {"seconds": [self.seconds * batch * self.drift] * self.calls}


class Bar:
    """Counts turns."""

    turns = 0

    def update(self):
        self.turns += 1


@pytest.fixture
def no_pause(monkeypatch):
    monkeypatch.setattr(speed, "PAUSE", 0)


@pytest.fixture
def measured(no_pause):
    processes = [Fake("jittor", 0.01), Fake(speed.REFERENCE, 0.04, calls=1), Fake("broken", None)]
    return speed.figures(speed.take_turns(processes, "infer", 8, speed.Plan(repeats=3), Bar()))


def test_ratios_are_taken_turn_by_turn_so_that_drift_cancels(measured):
    assert set(measured) == {"jittor", speed.REFERENCE}
    assert measured["jittor"]["ratio"] == pytest.approx(4)
    assert measured[speed.REFERENCE]["ratio"] == 1


def test_mean_deviation_and_median_are_over_the_turns(measured):
    rates = [50, 25, 12.5]  # the first call, twice as fast, is set-up and stands apart
    assert measured["jittor"]["images_per_s"] == pytest.approx(np.mean(rates), abs=0.01)
    assert measured["jittor"]["deviation"] == pytest.approx(np.std(rates), abs=0.01)
    assert measured["jittor"]["median"] == 25
    assert measured["jittor"]["repeats"] == 3
    assert measured["jittor"]["first_call_s"] == pytest.approx(0.08)
    assert measured["jittor"]["peak_mb"] == 100


def test_engines_take_turns_and_change_who_goes_first(no_pause):
    order, bar = [], Bar()

    class Noted(Fake):
        def ask(self, task, **options):
            if task != "memory":
                order.append(self.name)
            return super().ask(task, **options)

    speed.take_turns([Noted("a", 1), Noted("b", 1)], "infer", 1, speed.Plan(repeats=2), bar)
    assert order == ["a", "b", "a", "b", "b", "a"] and bar.turns == 4


def test_an_engine_that_breaks_half_way_is_left_out(no_pause):
    class Breaks(Fake):
        def ask(self, task, **options):
            self.seconds = None if len(self.order) == 2 else self.seconds
            return super().ask(task, **options)

    breaks = Breaks("jittor", 1)
    found = speed.take_turns([breaks, Fake(speed.REFERENCE, 1)], "infer", 1, speed.Plan(repeats=3), Bar())
    assert set(found) == {speed.REFERENCE} and breaks.problem


@pytest.fixture
def document(measured):
    told = {name: {"start_s": 1.5, "difference": 1e-6} for name in measured}
    return {
        "inference": {"crnn": {"8": measured}},
        "training": {},
        "reading": {},
        "engines": {"crnn": {**told, "openvino-f32": {"problem": "ModuleNotFoundError: No module named 'openvino'"}}},
    }


def test_the_table_names_what_is_missing(document):
    text = speed.table(document)
    assert "batch 8" in text and "29 ± 15.6 (4.00)" in text
    assert "openvino-f32        left out: ModuleNotFoundError: No module named 'openvino'" in text
    assert "1.5  0.08  100  1.0e-06" in text


@pytest.mark.parametrize("name", ["bars.png", "bars.svg"])
def test_the_plot_is_a_picture(document, tmp_path, name):
    document["inference"]["crnn"]["16"] = {speed.REFERENCE: document["inference"]["crnn"]["8"][speed.REFERENCE]}
    speed.plot(document, tmp_path / name)
    assert b"<svg" in (tmp_path / name).read_bytes() if name.endswith("svg") else Image.open(tmp_path / name).size


def test_logits_of_other_shape_or_value_show(tmp_path):
    class Told:
        def __init__(self, name, logits):
            self.name, self.path = name, tmp_path / f"{name}.npy"
            np.save(self.path, logits)

        def ask(self, task):
            return {"file": str(self.path)}

    ones = np.ones((2, 1, 3), np.float32)
    found = speed.differences([Told("a", ones), Told("b", 1.5 * ones), Told("c", ones[:1])])
    assert found == {"a": 0, "b": 0.5, "c": None}
    assert speed.differences([]) == {}


@pytest.fixture
def job(tmp_path):
    np.save(tmp_path / "images.npy", np.zeros((1, 1, 32, 40), np.float32))
    (tmp_path / "tiny.yaml").write_text(TINY, "utf-8")
    told = {"model": "tiny", "config": str(tmp_path / "tiny.yaml"), "weights": "", "threads": 1, "clock": "wall"}
    told |= {"images": str(tmp_path / "images.npy"), "folder": str(tmp_path), "onnx": str(tmp_path / "none.onnx")}
    (tmp_path / "job.json").write_text(json.dumps({**told, "pictures": []}))
    return tmp_path / "job.json"


def asked(name, job, python=sys.executable, **order):
    process = speed.Process(name, job, python, 1)
    answer = process.ask(**order)
    process.close()
    assert answer == {} and process.ask(**order) == {}
    return process.problem


def test_an_engine_that_cannot_start_says_why(job, tmp_path):
    assert "KeyError" in asked("no-such-engine", job, task="start", infer=True)
    assert "gone.json" in asked("jittor", tmp_path / "gone.json", task="start", infer=True)
    assert "cannot be started" in asked("jittor", job, str(tmp_path / "no-python"), task="start", infer=True)


def test_without_an_onnx_file_its_engines_say_so_and_the_others_go_on():
    good, bad = Fake("jittor", 1), Fake("onnxruntime", 1)
    assert list(speed.start([good, bad], "UserError: onnx not installed")) == ["jittor"]
    assert bad.problem == "no ONNX file of this model: UserError: onnx not installed" and not good.problem


def test_training_alone_builds_no_network(job, monkeypatch):
    """Packing weights or compiling a graph that nothing asks for would cost minutes, and memory that is reported."""
    made = []
    monkeypatch.setitem(engines.ENGINES, "jittor", lambda told: made.append(told) or print)
    monkeypatch.setattr(engines, "weights_of", lambda told: "weights")
    engine = engines.Engine("jittor", json.loads(job.read_text()))
    assert engine.answer({"task": "start", "infer": False}) == {"made": True} and not made
    assert engine.answer({"task": "start", "infer": True}) == {"made": True} and len(made) == 1


def test_without_inference_the_table_has_no_difference(document):
    document["training"], document["inference"] = document["inference"], {}
    del document["engines"]["crnn"]["jittor"]["difference"]
    text = speed.table(document)
    assert "training, crnn: images/s" in text and "1.5  0.08  100  -" in text


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


def test_missing_runtimes_are_errors_of_theirs_alone(job, monkeypatch):
    for module in ("onnxruntime", "openvino"):
        monkeypatch.setitem(sys.modules, module, None)
    told = json.loads(job.read_text())
    for name in speed.ONNX:
        with pytest.raises(ModuleNotFoundError, match=r"onnxruntime|openvino"):
            engines.ENGINES[name](told)


def test_pytorch_runs_in_its_own_environment(monkeypatch):
    monkeypatch.setenv("CRNN_TORCH_PYTHON", "/opt/torch/python")
    assert speed.python_of("torch-eager") == "/opt/torch/python"
    assert speed.python_of("jittor") == sys.executable


def test_calls_are_timed_one_by_one():
    ticks = iter(range(100))
    assert engines.repeat(lambda: next(ticks), 0, 3, lambda: next(ticks)) == [2, 2, 2]
    assert 0 < engines.peak_memory() < 2**20


def parsed(**changes) -> Namespace:
    from jsonargparse import ArgumentParser

    parser = ArgumentParser()
    command.add_arguments(parser)
    return Namespace(**{**vars(parser.get_defaults()), **changes})


def test_quick_changes_defaults_but_not_what_is_asked_for():
    quick = command.settings(parsed(quick=True, batches="8,2", only="inference,training"))
    assert quick.batches == {"inference": (2, 8), "training": (64,)} and quick.repeats == 3
    full = command.settings(parsed())
    assert full.batches["inference"] == (1, 16, 64, 128) and full.batches["reading"] == (256,) and full.repeats == 20
    assert full.engines == speed.INFERENCE


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"batches": "x"}, "--batches x"),
        ({"batches": "1,,2"}, "--batches 1,,2"),
        ({"train_batches": "0"}, "--train-batches 0"),
        ({"engines": "jittor,mxnet"}, "--engines mxnet"),
        ({"only": "sleeping"}, "--only sleeping"),
        ({"repeats": 0}, "--repeats 0"),
        ({"threads": -1}, "--threads -1"),
        ({"plot": "bars.xyz"}, "--plot bars.xyz"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_options_are_refused_before_anything_runs(words, said):
    with pytest.raises(UserError, match=said):
        command.settings(parsed(**words))


def test_unknown_models_and_data_are_one_line(capsys, tmp_path):
    for words in (["--config", "no-such"], ["--weights", "no-such"], ["--data", str(tmp_path / "gone")]):
        assert main("eval", "", COMMANDS, ["speed", *words]) == 2
        assert capsys.readouterr().err.count("\n") == 1


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
