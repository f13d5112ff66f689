"""One side of the parity test: what this process's backend computes. `python -m tests.crnn_jt.parity OUT.npz`."""

from __future__ import annotations

import sys

import numpy as np

from crnn_jt import backend
from crnn_jt.backend import ops
from crnn_jt.optimizers import Optimizer
from crnn_jt.recognizer import build
from crnn_jt.spec import TrainSpec
from tests.crnn_jt import tiny

PARTS = (
    *((extractor, "bilstm", "ctc") for extractor in tiny.EXTRACTORS),
    ("light", "identity", "ctc"),
    ("light", "bilstm, context", "ctc"),
    ("light", "bilstm", "attention"),
    ("light", "bilstm", "encoder_decoder"),
)
STEPS = 5
WIDTHS = np.array([48, 24, 40, 32])
TARGETS, SIZES = np.array([[1, 2, 3, 4], [5, 5, 0, 0], [7, 0, 0, 0], [8, 1, 2, 0]]), np.array([4, 2, 1, 3])


def outcome(parts: tuple[str, str, str]) -> dict[str, np.ndarray]:
    """Logits in eval mode, losses of five SGD steps and the weights behind them, from the same seed everywhere."""
    image = tiny.FIXED if parts[0] == "vgg_global" else tiny.PROPORTIONAL
    images, widths = tiny.pictures(width=48, seed=1), WIDTHS
    if image is tiny.FIXED:
        images, widths = tiny.pictures(), np.full(4, 40)
    recognizer = tiny.lively(build(tiny.model(*parts, image=image)))
    with backend.no_grad():
        logits, lengths = recognizer(ops.array(images), widths, TARGETS)
    if recognizer.generator.aligned:  # what lies behind an image's own steps is nobody's business
        inside = ops.array((np.arange(logits.shape[0])[:, None, None] < lengths[:, None]).astype(np.float32))
        logits = logits * inside
    found = {"logits": ops.numpy(logits)}
    recognizer.train()
    optimizer = Optimizer(TrainSpec(optimizer="sgd", weight_decay=0.0, clip=5.0), backend.parameters(recognizer))
    losses = []
    for _ in range(STEPS):
        logits, lengths = recognizer(ops.array(images), widths, TARGETS)
        loss = recognizer.generator.loss(logits, TARGETS, SIZES, lengths)
        optimizer.step(backend.gradients(loss, list(optimizer.parameters.values())), 0.003)
        losses.append(float(ops.numpy(loss).sum()))
    arrays = backend.state(recognizer)
    return found | {"losses": np.array(losses)} | {f"state/{key}": value for key, value in arrays.items()}


def main(path: str) -> None:
    """Writes the outcomes of all parts."""
    arrays = {}
    for parts in PARTS:
        arrays |= {f"{'+'.join(parts)}:{name}": value for name, value in outcome(parts).items()}
    np.savez(path, **arrays)


if __name__ == "__main__":
    main(sys.argv[1])
