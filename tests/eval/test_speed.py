"""The speed bench: its ratios must be those of turns taken side by side, and one broken engine must not end it."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from data_tools.errors import UserError
from eval import speed
from eval.commands import speed as command


class Fake:
    """An engine that takes a given time for each image, slower from round to round, or always fails."""

    def __init__(self, name, seconds):
        self.name, self.seconds, self.problem, self.drift = name, seconds, "", 1.0

    def ask(self, task, batch, seconds, least):
        if self.seconds is None:
            self.problem = "RuntimeError: broken"
            return {}
        self.drift *= 2
        return {"seconds": [self.seconds * batch * self.drift] * 3}


class Bar:
    def update(self):
        pass


def measured():
    engines = [Fake("jittor", 0.01), Fake(speed.REFERENCE, 0.04), Fake("broken", None)]
    return speed.take_turns(engines, "infer", 8, speed.Plan(rounds=3), Bar())


def test_ratios_are_taken_round_by_round_so_that_drift_cancels():
    figures = speed.figures(measured())
    assert set(figures) == {"jittor", speed.REFERENCE}
    assert figures["jittor"][f"ratio_to_{speed.REFERENCE}"] == pytest.approx(4)
    assert figures["jittor"]["images_per_s"] == pytest.approx(100 / 8)  # the middle one of three rounds
    assert figures["jittor"]["calls"] == 9


def document():
    return {
        "machine": {},
        "inference": {"crnn": {"8": speed.figures(measured())}},
        "training": {},
        "end_to_end": {},
        "problems": {"crnn": {"broken": "RuntimeError: broken"}},
    }


def test_the_table_names_what_was_left_out():
    text = speed.table(document())
    assert "batch 8" in text and "(4.00)" in text
    assert "crnn, broken: left out: RuntimeError: broken" in text


def test_the_plot_is_a_picture(tmp_path):
    speed.plot(document(), tmp_path / "bars.png")
    assert (tmp_path / "bars.png").read_bytes().startswith(b"\x89PNG")


def test_an_engine_that_cannot_start_says_why(tmp_path):
    job = tmp_path / "job.json"
    np.save(tmp_path / "images.npy", np.zeros((1, 1, 32, 100), np.float32))
    job.write_text(json.dumps({"images": str(tmp_path / "images.npy"), "clock": "wall", "folder": str(tmp_path)}))
    process = speed.Process("no-such-engine", job, sys.executable, 1)
    assert process.ask(task="infer", batch=1, seconds=0, least=1) == {}
    assert "KeyError" in process.problem
    process.close()
    gone = speed.Process("no-such-engine", tmp_path / "missing.json", sys.executable, 1)
    assert gone.ask(task="infer", batch=1, seconds=0, least=1) == {} and "missing.json" in gone.problem
    gone.close()


@pytest.mark.parametrize("text", ["x", "1,-2", "1,,2"])
def test_wrong_batches_are_refused(text):
    with pytest.raises(UserError, match="--batches"):
        command._numbers("--batches", text)


def test_unknown_engines_are_refused():
    with pytest.raises(UserError, match="no-such"):
        command._chosen("jittor,no-such", speed.INFERENCE)


def test_the_command_prints_one_json_document():
    pytest.importorskip("jittor_utils")
    line = [sys.executable, "-m", "eval", "speed", "--models", "crnn-light", "--engines", "jittor", "--batches", "2"]
    line += ["--train-batches", "none", "--rounds", "1", "--seconds", "0", "--json"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["inference"]["crnn-light"]["2"]["jittor"]["images_per_s"] > 0
    assert found["machine"]["threads"] >= 1 and found["problems"] == {"crnn-light": {}}
