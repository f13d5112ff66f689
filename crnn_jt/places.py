"""Logits by place of the text, whatever made them: index 0 ends it; what is read up to there, and what a text costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crnn_jt.backend import ops
from crnn_jt.decoding.ctc import Reading, pad

END = 0


def read_places(log_probs: np.ndarray, max_length: int) -> list[Reading]:
    """The likeliest symbol at each step up to the first end; log_probs (T', N, K)."""
    best = log_probs.argmax(2)  # (T', N)
    peak = np.take_along_axis(log_probs, best[:, :, None], 2)[:, :, 0]
    readings = []
    for n in range(best.shape[1]):
        ends = np.flatnonzero(best[:, n] == END)
        size = min(int(ends[0]) if len(ends) else len(best), max_length)
        confidence = float(np.exp(peak[: size + 1, n].sum()))
        symbols = tuple(int(k) for k in best[:size, n])
        readings.append(Reading(symbols, confidence, tuple(np.exp(peak[:size, n]).tolist())))
    return readings


def pick_targets(log_probs, targets: np.ndarray, sizes: np.ndarray):
    """log p of each target symbol and its end, zero after it, (S + 1, N); log_probs of S + 1 steps or more."""
    wanted = np.concatenate([targets, np.full((len(targets), 1), END)], 1).T  # (S + 1, N)
    inside = np.arange(len(wanted))[:, None] <= np.asarray(sizes)
    wanted = np.where(inside, wanted, END)
    picked = ops.gather(log_probs[: len(wanted)], ops.array(wanted))
    return picked * ops.array(inside.astype(np.float32))


def symbol_loss(logits, targets: np.ndarray, sizes: np.ndarray):
    """Mean over all symbols and ends of -log p; logits (T', N, K), targets (N, S) of `sizes` (N,) symbols."""
    picked = pick_targets(ops.log_softmax(logits, 2), targets, sizes)
    return -picked.sum() / float(np.sum(np.asarray(sizes) + 1))


def score_words(logits, words: Sequence[Sequence[int]]) -> np.ndarray:
    """log p(words[n] and end), (N,), by logits (T', N, K)."""
    targets, sizes = pad(words)
    return ops.numpy(pick_targets(ops.log_softmax(logits, 2), targets, sizes).sum(0))
