"""Engines build what is asked for and nothing else; a runtime that is missing is missing alone."""

import json
import sys

import pytest

from eval import workloads
from eval.speed import engines
from eval.speed.tasks import ONNX


def test_training_alone_builds_no_network(job, monkeypatch):
    """Packing weights or compiling a graph that nothing asks for would cost minutes, and memory that is reported."""
    made = []
    monkeypatch.setitem(engines.ENGINES, "jittor", lambda told: made.append(told) or print)
    monkeypatch.setattr(workloads, "load_job_weights", lambda told: "weights")
    engine = engines.Engine("jittor", json.loads(job.read_text()))
    assert engine.answer({"task": "start", "infer": False}) == {"made": True} and not made
    assert engine.answer({"task": "start", "infer": True}) == {"made": True} and len(made) == 1


def test_missing_runtimes_are_errors_of_theirs_alone(job, monkeypatch):
    for module in ("onnxruntime", "openvino"):
        monkeypatch.setitem(sys.modules, module, None)
    told = json.loads(job.read_text())
    for name in ONNX:
        with pytest.raises(ModuleNotFoundError, match=r"onnxruntime|openvino"):
            engines.ENGINES[name](told)
