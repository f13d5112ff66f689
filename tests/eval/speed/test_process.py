"""An engine's process that cannot start or work must say why, and leave the others their interpreter."""

import sys

from eval.speed.process import Process, find_python


def asked(name, job, python=sys.executable, **order):
    process = Process(name, job, python, 1)
    answer = process.ask(**order)
    process.close()
    assert answer == {} and process.ask(**order) == {}
    return process.problem


def test_an_engine_that_cannot_start_says_why(job, tmp_path):
    assert "KeyError" in asked("no-such-engine", job, task="start", infer=True)
    assert "gone.json" in asked("jittor", tmp_path / "gone.json", task="start", infer=True)
    assert "cannot be started" in asked("jittor", job, str(tmp_path / "no-python"), task="start", infer=True)


def test_pytorch_runs_in_its_own_environment(monkeypatch):
    monkeypatch.setenv("CRNN_TORCH_PYTHON", "/opt/torch/python")
    assert find_python("torch-eager") == "/opt/torch/python"
    assert find_python("jittor") == sys.executable
