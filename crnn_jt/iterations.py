"""A reading that is corrected again and again: what it was after each iteration, and how certain it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crnn_jt.backend import no_grad, ops
from crnn_jt.decoding.ctc import Reading
from crnn_jt.places import END


def iterate(model, images: np.ndarray, widths: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Log-probabilities (T', N, K) of vision alone and after each iteration of the corrector, where a recogniser has
    one; and lengths (N,). It must be in eval mode; `images` (N, C, H, W), `widths` (N,) their own.
    """
    with no_grad():
        sequence, lengths = model.sequence(ops.array(images), widths)
        if model.corrector is None:
            logits = [model.generator(sequence, lengths)]
        else:
            vision, _, fusions = model.corrector.iterate(model.generator, sequence, lengths)
            logits = [vision, *fusions]
        return [ops.numpy(ops.log_softmax(one, 2)) for one in logits], lengths


def weigh(generator, log_probs: Sequence[np.ndarray], lengths: np.ndarray) -> list[tuple[Reading, float]]:
    """The last reading of each picture and its certainty, from what `iterate` gives: the least over its symbols, and
    its end where symbols have places, of the largest p(symbol) over the iterations (ABINet: Fang et al., CVPR 2021,
    section 3.4). Nothing read is certainty 0.
    """
    readings = generator.decode(log_probs[-1], lengths)
    if generator.framewise:
        return [(reading, min(reading.character_confidences, default=0.0)) for reading in readings]
    iterations = log_probs[1:] or log_probs
    return [(reading, _certainty(reading, [one[:, n] for one in iterations])) for n, reading in enumerate(readings)]


def _certainty(reading: Reading, iterations: Sequence[np.ndarray]) -> float:
    """Of one picture; the iterations are (T', K)."""
    if not reading.indices:
        return 0.0
    symbols = (*reading.indices, END)[: len(iterations[0])]
    best = np.max([one[range(len(symbols)), symbols] for one in iterations], axis=0)
    return float(np.exp(best.min()))
