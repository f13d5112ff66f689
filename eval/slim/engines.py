"""Other runtimes on a model's QDQ file: ONNX Runtime's products in 8 bits, and OpenVINO's."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from crnn_jt.backend import ops
from crnn_jt.export import session_options
from crnn_jt.models import Model
from data_tools.errors import UserError

Run = Callable[[np.ndarray], np.ndarray]
"""Images (N, C, H, W) -> what the file's form gives: logits (T, N, K), or probabilities."""
LEAST = 1e-7


def threads() -> int:
    """As many as the kernels take."""
    return int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count())


def _open_onnxruntime(path: Path) -> Run:
    import onnxruntime

    options = session_options()
    options.intra_op_num_threads = threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {"images": images})[0]


def _open_openvino(path: Path) -> Run:
    """A model for each shape, as a deployment that knows its shapes would have it."""
    import openvino

    core, compiled = openvino.Core(), {}
    hints = {"INFERENCE_NUM_THREADS": threads(), "INFERENCE_PRECISION_HINT": "f32"}

    def run(images: np.ndarray) -> np.ndarray:
        if images.shape not in compiled:
            model = core.read_model(str(path))
            model.reshape({"images": list(images.shape)})
            compiled[images.shape] = core.compile_model(model, "CPU", hints)
        return compiled[images.shape](images)[0]

    return run


ENGINES: dict[str, Callable[[Path], Run]] = {"onnxruntime": _open_onnxruntime, "openvino": _open_openvino}


def open_engine(name: str, path: Path) -> Run:
    """Raises UserError where the package is not installed."""
    try:
        return ENGINES[name](path)
    except ImportError as error:
        raise UserError(f"{name}: not installed; pip install 'crnn-jt[bench]'") from error


def stand_in(model: Model, run: Run) -> None:
    """Has a model give what another runtime computes wherever a task asks it."""
    if model.spec.kind == "recognizer":
        model.log_probs = lambda images, widths: _read(model, run, images, widths)
    elif model.spec.kind == "direction":
        model.probabilities = lambda images, network=None: run(images)
    else:
        model.features = lambda images: ops.array(_to_logits(run(ops.numpy(images)))[:, None])
        model.head.shrink = lambda logits: logits


def _read(model: Model, run: Run, images: np.ndarray, widths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities (T, N, K) and lengths (N,): a file knows no padding, so that pictures of several widths are
    read one by one.
    """
    lengths = model.steps(widths)
    if (np.asarray(widths) == images.shape[3]).all():
        return _log_softmax(run(images)), lengths
    found = [_log_softmax(run(image[None, :, :, :width])) for image, width in zip(images, widths)]
    whole = np.zeros((max(map(len, found)), len(found), found[0].shape[2]), np.float32)
    for n, one in enumerate(found):
        whole[: len(one), n] = one[:, 0]
    return whole, np.minimum(lengths, [len(one) for one in found])


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def _to_logits(probabilities: np.ndarray) -> np.ndarray:
    clipped = np.clip(probabilities, LEAST, 1 - LEAST)
    return np.log(clipped / (1 - clipped))
