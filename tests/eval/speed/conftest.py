"""A stand-in engine, a document that it gives, and the job of a tiny model."""

import json

import numpy as np
import pytest

from eval.speed import bench
from eval.speed.tasks import REFERENCE

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
    monkeypatch.setattr(bench, "PAUSE", 0)


@pytest.fixture
def measured(no_pause):
    processes = [Fake("jittor", 0.01), Fake(REFERENCE, 0.04, calls=1), Fake("broken", None)]
    return bench.summarize(bench.take_turns(processes, "infer", 8, bench.Plan(repeats=3), Bar()))


@pytest.fixture
def document(measured):
    told = {name: {"start_s": 1.5, "difference": 1e-6} for name in measured}
    return {
        "inference": {"crnn": {"8": measured}},
        "training": {},
        "reading": {},
        "engines": {"crnn": {**told, "openvino-f32": {"problem": "ModuleNotFoundError: No module named 'openvino'"}}},
    }


@pytest.fixture
def job(tmp_path):
    np.save(tmp_path / "images.npy", np.zeros((1, 1, 32, 40), np.float32))
    (tmp_path / "tiny.yaml").write_text(TINY, "utf-8")
    told = {"model": "tiny", "config": str(tmp_path / "tiny.yaml"), "weights": "", "threads": 1, "clock": "wall"}
    told |= {"images": str(tmp_path / "images.npy"), "folder": str(tmp_path), "onnx": str(tmp_path / "none.onnx")}
    (tmp_path / "job.json").write_text(json.dumps({**told, "pictures": []}))
    return tmp_path / "job.json"
