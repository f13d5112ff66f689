"""One engine of the speed bench, in a process of its own: takes orders as JSON lines, answers with times.

  python -m eval.engines ENGINE JOB.json

The job names the model's weights file or configuration, the threads, images (.npy) and pictures, and the model's ONNX
file. Orders: {"task": "start", "infer": whether the network will be asked for} builds it, or only imports what builds
it; {"task": "infer" | "train" | "read", "batch": N, "seconds": S, "least": K} -> {"seconds": [of each call]};
{"task": "logits"} -> {"file": .npy}; {"task": "memory"} -> {"megabytes": peak so far}; {"task": "export"} writes the
ONNX file. What libraries print goes to standard error. Only here are frameworks and runtimes asked for what the seam
does not offer: their modes and layouts.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path

import numpy as np

Call = Callable[[np.ndarray], np.ndarray]  # images (N, C, H, W) -> logits (T, N, K)
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
LABEL = 8  # symbols of a label in the training steps


def weights_of(job: dict):
    """The model's weights: of a file, or fresh ones of a configuration (the same numbers on every backend)."""
    from crnn_jt import backend
    from crnn_jt.recognizer import build
    from crnn_jt.spec import load_config
    from crnn_jt.weights import Weights, load_weights

    if job["weights"]:
        return load_weights(job["weights"])
    spec = load_config(job["config"]).model
    return Weights(backend.state(build(spec)), spec)


def reader_of(job: dict, fast: bool):
    """The model ready to read; `fast` False keeps to the framework's own operators."""
    from crnn_jt.reading import SequenceReader

    return SequenceReader(weights_of(job), job["model"], fast)


def _jittor(job: dict) -> Call:
    """What `crnn_jt.load` gives: the frozen network, or the recogniser where the kernels do not cover it."""
    reader = reader_of(job, True)
    return lambda images: reader.logits(images)[0]


def _framework(job: dict) -> Call:
    """The recogniser's own operators, on whichever backend the process has."""
    return _eager(reader_of(job, False).recognizer)


def _eager(recognizer) -> Call:
    from crnn_jt import backend

    def call(images: np.ndarray) -> np.ndarray:
        with backend.no_grad():
            logits, _ = recognizer(backend.ops.array(images), np.full(len(images), images.shape[3]))
            return backend.ops.numpy(logits)

    return call


def _channels_last(job: dict) -> Call:
    from crnn_jt import backend

    return _eager(backend.place(reader_of(job, False).recognizer, "cpu"))


def _compiled(job: dict) -> Call:
    """All stages compiled as one; a decoder's loop, which asks for its own symbols, stays as it is."""
    import torch

    from crnn_jt.recognizer import map_to_sequence

    recognizer = reader_of(job, False).recognizer
    aligned, axis = recognizer.generator.aligned, recognizer.extractor.sequence_axis

    def stages(images):
        sequence = recognizer.refiner(map_to_sequence(recognizer.extractor(images), axis))
        return recognizer.generator(sequence, None) if aligned else sequence

    compiled = torch.compile(stages)

    def call(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            found = compiled(torch.from_numpy(images))
            if not aligned:
                found = recognizer.generator(found, np.full(len(images), len(found)))
            return found.numpy()

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
    if precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise RuntimeError("this processor has no bfloat16")
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
    if not Path(job["onnx"]).is_file():
        raise RuntimeError("there is no ONNX file of this model (export: above)")
    return job["onnx"]


ENGINES: dict[str, Callable[[dict], Call]] = {
    "jittor": _jittor,
    "jittor-plain": _framework,
    "torch-eager": _framework,
    "torch-channels-last": _channels_last,
    "torch-compile": _compiled,
    "onnxruntime": _onnxruntime,
    "openvino-f32": lambda job: _openvino(job, "f32"),
    "openvino-bf16": lambda job: _openvino(job, "bf16"),
}


def training_step(job: dict, images: np.ndarray) -> Callable[[], float]:
    """A function that does one whole step as `train` does: forward, loss, gradients, optimiser, weight average; returns
    the loss.
    """
    from crnn_jt import backend
    from crnn_jt.optimizers import Average, Optimizer
    from crnn_jt.recognizer import build
    from crnn_jt.spec import TrainSpec

    recognizer = build(weights_of(job).spec)
    recognizer.train()
    spec = TrainSpec()
    optimizer = Optimizer(spec, backend.parameters(recognizer))
    average = Average(spec.ema, backend.tensors(recognizer))
    rng, count = np.random.default_rng(0), len(images)
    widths = np.full(count, images.shape[3])
    longest = min(LABEL, recognizer.spec.labels.max_length, max(1, int(recognizer.steps(widths)[0]) // 2))
    targets, sizes = rng.integers(1, recognizer.tokenizer.classes, (count, longest)), np.full(count, longest)

    def step() -> float:
        logits, lengths = recognizer(backend.ops.array(images), widths, targets)
        loss = recognizer.generator.loss(logits, targets, sizes, lengths)
        optimizer.step(backend.gradients(loss, list(optimizer.parameters.values())), 1e-4)
        average.update(optimizer.steps)
        backend.synchronize()
        return float(backend.ops.numpy(loss).sum())

    return step


class Engine:
    """Answers orders; what is slow to make (the model, a training step) is made when first asked for."""

    def __init__(self, name: str, job: dict):
        self.name, self.job = name, job
        self.images = np.load(job["images"])
        self.made: dict[tuple, Callable] = {}

    def answer(self, order: dict) -> dict:
        """The answer to one order."""
        task = order["task"]
        if task == "memory":
            return {"megabytes": peak_memory()}
        if task == "export":
            return self._export()
        if task == "start":
            return {"made": bool(self._network() if order["infer"] else weights_of(self.job))}
        if task == "logits":
            path = Path(self.job["folder"]) / f"{self.name}.npy"
            np.save(path, self._network()(self.images[:4]))
            return {"file": str(path)}
        key = task, order["batch"]
        if key not in self.made:
            self.made[key] = self._make(*key)
        clock = CLOCKS[self.job["clock"]]
        return {"seconds": repeat(self.made[key], order["seconds"], order["least"], clock)}

    def _export(self) -> dict:
        from crnn_jt.export import export_onnx

        return {"file": export_onnx(weights_of(self.job), self.job["onnx"]).path}

    def _network(self) -> Call:
        if ("network",) not in self.made:
            self.made["network",] = ENGINES[self.name](self.job)
        return self.made["network",]

    def _make(self, task: str, batch: int) -> Callable[[], object]:
        if task == "read":
            reader = reader_of(self.job, self.name == "jittor")
            pictures = list(islice(cycle(self.job["pictures"]), batch))
            return lambda: reader.read(pictures)
        images = np.ascontiguousarray(np.resize(self.images, (batch, *self.images.shape[1:])))
        if task == "train":
            return training_step(self.job, images)
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


def peak_memory() -> int:
    """Peak resident memory of this process so far, MB; from /proc, since getrusage counts the parent's in."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return round(int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) / 1024)


def main(name: str, job_file: str) -> None:
    """Answers the orders on standard input until it ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries that print must not answer for us
    engine = Engine(name, json.loads(Path(job_file).read_text()))
    for line in sys.stdin:
        try:
            answer = engine.answer(json.loads(line))
        except Exception as error:  # said to the bench, which leaves this engine out and names the reason
            answer = {"error": " ".join(f"{type(error).__name__}: {error}".split())[:200]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
