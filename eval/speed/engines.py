"""One engine of the speed bench, in a process of its own: takes orders as JSON lines, answers with times.

  python -m eval.speed.engines ENGINE JOB.json

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
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from eval import workloads
from eval.machine import read_peak_memory
from eval.timing import CLOCKS, repeat

Call = Callable[[np.ndarray], np.ndarray]  # images (N, C, H, W) -> logits (T, N, K)


def _load_jittor(job: dict) -> Call:
    """What `crnn_jt.load` gives: the frozen network, or the recogniser where the kernels do not cover it; likewise of
    detectors and classifiers of direction.
    """
    if not workloads.reads_lines(job):
        return workloads.load_job_network(job, True)
    reader = workloads.load_job_reader(job, True)
    return lambda images: reader.logits(images)[0]


def _load_framework(job: dict) -> Call:
    """The model's own operators, on whichever backend the process has."""
    if not workloads.reads_lines(job):
        return workloads.load_job_network(job, False)
    return _call_eagerly(workloads.load_job_reader(job, False).recognizer)


def _call_eagerly(recognizer) -> Call:
    from crnn_jt import backend

    def call(images: np.ndarray) -> np.ndarray:
        with backend.no_grad():
            logits, _ = recognizer(backend.ops.array(images), np.full(len(images), images.shape[3]))
            return backend.ops.numpy(logits)

    return call


def _load_channels_last(job: dict) -> Call:
    from crnn_jt import backend

    return _call_eagerly(backend.to_device(workloads.load_job_reader(job, False).recognizer, "cpu"))


def _load_compiled(job: dict) -> Call:
    """All stages compiled as one; a decoder's loop, which asks for its own symbols, stays as it is."""
    import torch

    recognizer = workloads.load_job_reader(job, False).recognizer
    framewise, sequence_of = recognizer.generator.framewise, recognizer.extractor.sequence.to_sequence

    def stages(images):
        sequence = recognizer.refiner(sequence_of(recognizer.extractor(images)))
        return recognizer.generator(sequence, None) if framewise else sequence

    compiled = torch.compile(stages)

    def call(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            logits = compiled(torch.from_numpy(images))
            if not framewise:  # what came is the sequence (T, N, C)
                logits = recognizer.generator(logits, np.full(len(images), len(logits)))
            return logits.numpy()

    return call


def _load_onnxruntime(job: dict) -> Call:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = job["threads"]
    session = onnxruntime.InferenceSession(_find_onnx_file(job), options, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {"images": images})[0]


def _load_openvino(job: dict, precision: str) -> Call:
    import openvino

    core = openvino.Core()
    if precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise RuntimeError("this processor has no bfloat16")
    hints = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": job["threads"]}
    model = core.read_model(_find_onnx_file(job))
    compiled: dict[tuple[int, ...], object] = {}

    def call(images: np.ndarray) -> np.ndarray:
        if images.shape not in compiled:  # shapes fixed: what a deployment that knows them would do
            model.reshape({"images": list(images.shape)})
            compiled[images.shape] = core.compile_model(model, "CPU", hints)
        return compiled[images.shape](images)[0]

    return call


def _find_onnx_file(job: dict) -> str:
    if not Path(job["onnx"]).is_file():
        raise RuntimeError("there is no ONNX file of this model (export: above)")
    return job["onnx"]


ENGINES: dict[str, Callable[[dict], Call]] = {
    "jittor": _load_jittor,
    "jittor-plain": _load_framework,
    "torch-eager": _load_framework,
    "torch-channels-last": _load_channels_last,
    "torch-compile": _load_compiled,
    "onnxruntime": _load_onnxruntime,
    "openvino-f32": lambda job: _load_openvino(job, "f32"),
    "openvino-bf16": lambda job: _load_openvino(job, "bf16"),
}


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
            return {"megabytes": read_peak_memory()}
        if task == "export":
            return self._export()
        if task == "start":
            return {"made": bool(self._get_network() if order["infer"] else workloads.load_job_weights(self.job))}
        if task == "logits":
            path = Path(self.job["folder"]) / f"{self.name}.npy"
            np.save(path, self._get_network()(self.images[:4]))
            return {"file": str(path)}
        key = task, order["batch"]
        if key not in self.made:
            self.made[key] = self._make(*key)
        clock = CLOCKS[self.job["clock"]]
        return {"seconds": repeat(self.made[key], order["seconds"], order["least"], clock)}

    def _export(self) -> dict:
        from crnn_jt.export import export_onnx

        return {"file": export_onnx(workloads.load_job_weights(self.job), self.job["onnx"]).path}

    def _get_network(self) -> Call:
        if ("network",) not in self.made:
            self.made["network",] = ENGINES[self.name](self.job)
        return self.made["network",]

    def _make(self, task: str, batch: int) -> Callable[[], object]:
        if task == "read":
            reader = workloads.load_job_reader(self.job, self.name == "jittor")
            pictures = list(islice(cycle(self.job["pictures"]), batch))
            return lambda: reader.read(pictures, language="none")
        images = np.ascontiguousarray(np.resize(self.images, (batch, *self.images.shape[1:])))
        if task == "train":
            return workloads.make_training_step(self.job, images)
        network = self._get_network()
        return lambda: network(images)


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
