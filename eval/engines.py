"""One engine of the speed bench, in a process of its own: takes orders as JSON lines, answers with times.

  python -m eval.engines ENGINE JOB.json

The job names the model's configuration or weights, the threads, the images (.npy) and a folder for files that engines
share. Orders: {"task": "infer" | "train" | "read", "batch": N, "seconds": S, "least": K} -> {"seconds": [of each
call]}, {"task": "logits"} -> {"file": .npy}, {"task": "memory"} -> {"megabytes": peak}. What libraries print goes to
standard error.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
Call = Callable[[np.ndarray], np.ndarray]  # images (N, C, H, W) -> logits (T, N, K)


def _weights(job: dict):
    """The model's weights: of a file, or fresh ones of a configuration (the same numbers on every backend)."""
    from crnn_jt import backend
    from crnn_jt.recognizer import build
    from crnn_jt.spec import load_config
    from crnn_jt.weights import Weights, load_weights

    if job["weights"]:
        return load_weights(job["weights"])
    spec = load_config(job["config"]).model
    return Weights(backend.state(build(spec)), spec)


def reader(job: dict, fast: bool):
    """A `SequenceReader` of the job's model."""
    from crnn_jt.reading import SequenceReader

    return SequenceReader(_weights(job), job["config"], fast)


def _jittor(job: dict) -> Call:
    made = reader(job, True)
    if made.network is None:
        raise RuntimeError("the fast kernels do not cover this model (python -m crnn_jt doctor says why)")
    return made.network.run


def _framework(job: dict) -> Call:
    """The recogniser's own operators, on whichever backend the process has."""
    from crnn_jt import backend

    recognizer = reader(job, False).recognizer

    def call(images: np.ndarray) -> np.ndarray:
        with backend.no_grad():
            logits, _ = recognizer(backend.ops.array(images), np.full(len(images), images.shape[3]))
            return backend.ops.numpy(logits)

    return call


def _torch(job: dict, channels_last: bool = False, compiled: bool = False) -> Call:
    import torch

    torch.set_num_threads(job["threads"])
    recognizer = reader(job, False).recognizer
    layout = torch.channels_last if channels_last else torch.contiguous_format
    recognizer.extractor.to(memory_format=layout)
    stages = [recognizer.extractor.stack, recognizer.refiner, recognizer.generator.head]
    if compiled:
        stages = [torch.compile(stage) for stage in stages]
    from crnn_jt.recognizer import map_to_sequence

    def call(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            features = stages[0](torch.from_numpy(images).to(memory_format=layout))
            return stages[2](stages[1](map_to_sequence(features, recognizer.extractor.sequence_axis))).numpy()

    return call


def _onnxruntime(job: dict) -> Call:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = job["threads"]
    session = onnxruntime.InferenceSession(_onnx_file(job), options, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {"images": images})[0]


def _openvino(job: dict, precision: str) -> Call:
    import openvino

    core = openvino.Core()
    hints = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": job["threads"]}
    model = core.read_model(_onnx_file(job))
    compiled: dict[tuple[int, ...], object] = {}

    def call(images: np.ndarray) -> np.ndarray:
        if images.shape not in compiled:  # shapes fixed: what a deployment that knows them would do
            model.reshape({"images": list(images.shape)})
            compiled[images.shape] = core.compile_model(model, "CPU", hints)
        return compiled[images.shape](images)[0]

    return call


def _onnx_file(job: dict) -> str:
    """The model as ONNX, written by the first engine that needs it."""
    path = Path(job["folder"]) / f"{job['config']}.onnx"
    if not path.is_file():
        from crnn_jt.export import export_onnx

        export_onnx(reader(job, False), path)
    return str(path)


ENGINES: dict[str, Callable[[dict], Call]] = {
    "jittor": _jittor,
    "jittor-plain": _framework,
    "torch-eager": _torch,
    "torch-channels-last": lambda job: _torch(job, channels_last=True),
    "torch-compile": lambda job: _torch(job, compiled=True),
    "onnxruntime": _onnxruntime,
    "openvino-f32": lambda job: _openvino(job, "f32"),
    "openvino-bf16": lambda job: _openvino(job, "bf16"),
}


def training_step(job: dict, images: np.ndarray) -> Callable[[], float]:
    """A function that does one whole step: forward, loss, gradients, optimiser; returns the loss."""
    from crnn_jt import backend
    from crnn_jt.optimizers import Optimizer
    from crnn_jt.recognizer import build
    from crnn_jt.spec import TrainSpec, load_config

    recognizer = build(load_config(job["config"]).model)
    recognizer.train()
    optimizer = Optimizer(TrainSpec(), backend.parameters(recognizer))
    rng, count = np.random.default_rng(0), len(images)
    targets = rng.integers(1, recognizer.tokenizer.classes, (count, 8))
    widths, sizes = np.full(count, images.shape[3]), np.full(count, 8)

    def step() -> float:
        logits, lengths = recognizer(backend.ops.array(images), widths, targets)
        loss = recognizer.generator.loss(logits, targets, sizes, lengths)
        optimizer.step(backend.gradients(loss, list(optimizer.parameters.values())), 1e-4)
        backend.synchronize()
        return float(backend.ops.numpy(loss).sum())

    return step


class Engine:
    """Answers orders; what is slow to make (the model, a training step) is made when first asked for."""

    def __init__(self, name: str, job: dict):
        self.name, self.job = name, job
        self.images = np.load(job["images"])
        self.made: dict[tuple, Callable[[], object]] = {}

    def answer(self, order: dict) -> dict:
        """The answer to one order."""
        if order["task"] == "memory":
            return {"megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)}
        if order["task"] == "logits":
            path = Path(self.job["folder"]) / f"{self.job['config']}-{self.name}.npy"
            np.save(path, self._network()(self.images[:8]))
            return {"file": str(path)}
        key = order["task"], order.get("batch", 0)
        if key not in self.made:
            self.made[key] = self._make(*key)
        clock = CLOCKS[self.job["clock"]]
        return {"seconds": repeat(self.made[key], order["seconds"], order["least"], clock)}

    def _network(self) -> Call:
        if ("network",) not in self.made:
            self.made["network",] = ENGINES[self.name](self.job)
        return self.made["network",]

    def _make(self, task: str, batch: int) -> Callable[[], object]:
        images = np.ascontiguousarray(np.resize(self.images, (batch, *self.images.shape[1:])))
        if task == "train":
            return training_step(self.job, images)
        if task == "read":
            made, pictures = reader(self.job, self.name == "jittor"), self.job["pictures"]
            return lambda: made.read(pictures)
        network = self._network()
        return lambda: network(images)


def repeat(call: Callable[[], object], seconds: float, least: int, clock: Callable[[], float]) -> list[float]:
    """Calls for so long and at least so often; the time of each call by `clock`."""
    times, end = [], time.perf_counter() + seconds
    while len(times) < least or time.perf_counter() < end:
        start = clock()
        call()
        times.append(clock() - start)
    return times


def main(name: str, job_file: str) -> None:
    """Answers the orders on standard input until it ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries that print must not answer for us
    engine = Engine(name, json.loads(Path(job_file).read_text()))
    for line in sys.stdin:
        try:
            answer = engine.answer(json.loads(line))
        except Exception as error:  # said to the bench, which leaves this engine out and names the reason
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
