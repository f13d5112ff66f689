"""One side of the parity test: what this process's backend computes. `python -m tests.crnn_jt.parity OUT.npz`."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np

from crnn_jt import backend
from crnn_jt.backend import ops
from crnn_jt.generators.decoder import Decoder
from crnn_jt.learner import Learner
from crnn_jt.models import build
from crnn_jt.registry import CORRECTORS, EXTRACTORS
from crnn_jt.spec import Config, StageSpec, TrainSpec
from crnn_jt.tasks import task_of
from crnn_jt.tasks.recognition import Lines
from tests.crnn_jt import tiny

PARTS = (
    *((extractor, "bilstm", "ctc") for extractor in tiny.EXTRACTORS),
    ("light", "identity", "ctc"),
    ("light", "bilstm, context", "ctc"),
    ("light", "bilstm", "attention"),
    ("light", "bilstm", "attention, gru"),
    ("light", "bilstm", "encoder_decoder"),
    ("light", "identity", "parallel", "bcn"),
    ("resnet45", "transformer", "parallel"),
)
STEPS = 5
RATES = {"resnet45": 1e-4}
"""Learning rates of SGD where 0.003 is too bold: 45 layers on four pictures enlarge a rounding a hundredfold a step."""
WIDTHS = np.array([48, 24, 40, 32])
TARGETS, SIZES = np.array([[1, 2, 3, 4], [5, 5, 0, 0], [7, 0, 0, 0], [8, 1, 2, 0]]), np.array([4, 2, 1, 3])


def outcome(parts: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Logits in eval mode, losses of five SGD steps and the weights behind them, from the same seed everywhere."""
    open_width = EXTRACTORS.get(parts[0]).sequence.open_width
    image = tiny.PROPORTIONAL if open_width else tiny.FIXED
    images, widths = tiny.pictures(width=48, seed=1), WIDTHS
    if image is tiny.FIXED:
        images, widths = tiny.pictures(), np.full(4, 40)
    spec = tiny.model(*parts[:3], image=image)
    for name in parts[3:]:
        spec = replace(spec, corrector=StageSpec(name, CORRECTORS.get(name).tiny))
    recognizer = tiny.lively(build(spec))
    with backend.no_grad():
        logits = _logits(recognizer, images, widths)
    found = {"logits": ops.numpy(logits)}
    recognizer.train()
    train = TrainSpec(optimizer="sgd", weight_decay=0.0, clip=5.0, ema=0.0)
    learner = Learner(task_of(recognizer, Config(spec, train)), train)
    lines = Lines(images, widths, TARGETS, SIZES)
    losses = []
    for number in range(1, STEPS + 1):
        learned, _ = learner.step(lines, RATES.get(parts[0], 0.003), number)
        losses.append(float(ops.numpy(learned["loss"]).sum()))
    arrays = backend.state(recognizer)
    return found | {"losses": np.array(losses)} | {f"state/{key}": value for key, value in arrays.items()}


def _logits(recognizer, images, widths):
    """Logits (T', N, K): under teacher forcing of a decoder; of a framewise generator within each image's own steps."""
    sequence, lengths = recognizer.sequence(ops.array(images), widths)
    if isinstance(recognizer.generator, Decoder):
        return recognizer.generator.force(sequence, lengths, TARGETS)
    logits = recognizer.generate(sequence, lengths)
    if not recognizer.generator.framewise:
        return logits
    return logits * ops.array((np.arange(logits.shape[0])[:, None, None] < lengths[:, None]).astype(np.float32))


def main(path: str) -> None:
    """Writes the outcomes of all parts."""
    arrays = {}
    for parts in PARTS:
        arrays |= {f"{'+'.join(parts)}:{name}": value for name, value in outcome(parts).items()}
    np.savez(path, **arrays)


if __name__ == "__main__":
    main(sys.argv[1])
