"""Connectionist temporal classification, the reading side, in numpy.

Graves et al., "Connectionist Temporal Classification", ICML 2006: the collapse B drops adjacent repeats, then blanks;
p(l | y) is the sum over all paths that B maps to l (the forward algorithm). Index 0 is the blank everywhere.

The forward sums run in the linear domain in float64, on probabilities that `scale` has normalised a step at a time.
Nothing is rescaled on the way, so a path lost to underflow is worth less than 1e-307; sums below `TRUSTED` are computed
again with logarithms. That is several times faster than `logaddexp` everywhere, and no less exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Protocol

import numpy as np

BLANK = 0
TRUSTED = 1e-250
"""Forward sums below it may lack paths that underflowed (float64 ends near 1e-308); above it, those are nothing."""


@dataclass(frozen=True)
class Reading:
    """What one image says, in indices: symbols, their probability p(l | y), and one for each symbol, all 0-1."""

    indices: tuple[int, ...]
    confidence: float
    character_confidences: tuple[float, ...] = ()


def feasible(target: Sequence[int], steps: int) -> bool:
    """Whether CTC can emit `target` in `steps` steps: each adjacent repeat needs one blank between."""
    repeats = sum(a == b for a, b in pairwise(target))
    return steps >= len(target) + repeats


def collapse(path: Sequence[int]) -> list[int]:
    """B of the paper: adjacent repeats dropped, then blanks."""
    return [int(k) for i, k in enumerate(path) if k != BLANK and (i == 0 or k != path[i - 1])]


def find_runs(path: Sequence[int]) -> list[tuple[int, int, int]]:
    """The symbol, its first step and the step after its last of each run of a best path, but those of blanks."""
    runs, first = [], 0
    for symbol, own in groupby(path):
        last = first + sum(1 for _ in own)
        if symbol != BLANK:
            runs.append((symbol, first, last))
        first = last
    return runs


def greedy(log_probs: np.ndarray, lengths: Sequence[int] | None = None) -> list[Reading]:
    """The best path of each image, collapsed.

    log_probs (T, N, K) natural logarithms, lengths (N,) valid steps of each image (default: all T). The confidence is
    p(l | y) of the reading, summed over all its alignments; a character's is the highest probability in its run.
    """
    steps, count, _ = log_probs.shape
    lengths = np.full(count, steps) if lengths is None else np.asarray(lengths)
    best = log_probs.argmax(axis=2)  # (T, N)
    peak = np.exp(np.take_along_axis(log_probs, best[:, :, None], axis=2)[:, :, 0])  # (T, N)
    found = [_runs(best[:n, i], peak[:n, i]) for i, n in enumerate(lengths)]
    words, sizes = pad([indices for indices, _ in found])
    scores = batch_forward_scores(log_probs, lengths, np.arange(count), words, sizes)
    confidences = np.minimum(np.exp(scores), 1.0)
    return [Reading(tuple(k), float(p), tuple(c)) for (k, c), p in zip(found, confidences)]


def _runs(path: np.ndarray, peak: np.ndarray) -> tuple[list[int], list[float]]:
    """The symbols of one path (T,) and the highest probability of each symbol's run."""
    starts = np.flatnonzero(np.diff(path, prepend=-1))
    if not len(starts):
        return [], []
    highest = np.maximum.reduceat(peak, starts)
    keep = path[starts] != BLANK
    return path[starts][keep].tolist(), highest[keep].tolist()


def pad(words: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Index sequences as one (M, L) int array padded with blanks, and their lengths (M,)."""
    sizes = np.array([len(word) for word in words], dtype=np.int64)
    padded = np.full((len(words), int(sizes.max(initial=0))), BLANK, dtype=np.int64)
    for row, word in zip(padded, words):
        row[: len(word)] = word
    return padded, sizes


def forward_scores(log_probs: np.ndarray, words: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """log p(l | y) of each of M words on one image: log_probs (T, K), words (M, L) and sizes (M,) as from `pad`."""
    rows = np.zeros(len(words), dtype=np.int64)
    return batch_forward_scores(log_probs[:, None], [len(log_probs)], rows, words, sizes)


def batch_forward_scores(
    log_probs: np.ndarray, lengths: Sequence[int], rows: np.ndarray, words: np.ndarray, sizes: np.ndarray
) -> np.ndarray:
    """log p(words[m] | image rows[m]) for M pairs at once -> (M,) float64; -inf where a word cannot be emitted.

    log_probs (T, N, K), lengths (N,) valid steps, rows (M,) image of each word, words (M, L) padded, sizes (M,).
    """
    logs = close(log_probs, lengths)
    scaled, offsets = scale(logs)
    total = forward_linear(scaled, rows, words, sizes)
    return settle(total, offsets, logs, rows, words, sizes)


def settle(total, offsets, logs, rows, words, sizes) -> np.ndarray:
    """Scaled forward sums (M,) as log-probabilities (M,); those below `TRUSTED` are computed again from `logs`."""
    with np.errstate(divide="ignore"):
        scores = np.log(total) + offsets[rows]
    weak = np.flatnonzero(total < TRUSTED)
    if len(weak):
        scores[weak] = _forward_log(logs, rows[weak], words[weak], sizes[weak])
    return scores


def close(log_probs: np.ndarray, lengths: Sequence[int]) -> np.ndarray:
    """Log-probabilities (T, N, K) as float64 with a certain blank at every step after an image's last.

    Such steps change no word's probability, so what follows need not know lengths.
    """
    logs = log_probs.astype(np.float64)
    after = np.arange(len(logs))[:, None] >= np.asarray(lengths)  # (T, N)
    logs[after] = -np.inf
    logs[after, BLANK] = 0.0
    return logs


def scale(logs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (T, N, K) of closed logs, each step's sum 1, and the log factor of each image (N,)."""
    peak = np.nan_to_num(logs.max(axis=2, keepdims=True), neginf=0.0)  # (T, N, 1)
    powers = logs - peak
    np.exp(powers, out=powers)
    total = np.maximum(powers.sum(axis=2, keepdims=True), np.finfo(float).tiny)
    powers /= total
    return powers, (peak + np.log(total))[:, :, 0].sum(axis=0)


def _extend(words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Words (M, L) with blanks around each symbol, l' of the paper: (M, 2L+1); and where a path may skip the blank
    before a symbol, which it may unless the symbol repeats the one before.
    """
    count, longest = words.shape
    extended = np.full((count, 2 * longest + 1), BLANK, dtype=np.int64)
    extended[:, 1::2] = words
    skip = np.zeros(extended.shape, dtype=bool)
    skip[:, 3::2] = words[:, 1:] != words[:, :-1]
    return extended, skip


def forward_linear(scaled: np.ndarray, rows: np.ndarray, words: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Forward sums of scaled probabilities (T, N, K) of words (M, L) on images `rows` (M,) -> (M,)."""
    extended, skip = _extend(words)
    alpha = np.zeros((len(words), extended.shape[1] + 2))  # two empty states in front
    alpha[:, 2] = 1.0  # before the first step it is as if a blank had been read
    # Equation 6 of the paper. After each step, alpha[m, s + 2] sums the paths so far that end in state s of word m:
    # they stayed there, came from the state before, or skipped the blank between.
    for step in scaled:
        moved = alpha[:, 2:] + alpha[:, 1:-1]
        moved += alpha[:, :-2] * skip
        moved *= step[rows[:, None], extended]
        alpha[:, 2:] = moved
    return _final(alpha[:, 2:], sizes, np.add, 0.0)


def _forward_log(logs, rows, words, sizes) -> np.ndarray:
    """The same in logarithms, for what is too small for the linear domain, (M,)."""
    extended, skip = _extend(words)
    alpha = np.full((len(words), extended.shape[1] + 2), -np.inf)
    alpha[:, 2] = 0.0
    closed = np.where(skip, 0.0, -np.inf)
    for step in logs:
        moved = np.logaddexp(np.logaddexp(alpha[:, 2:], alpha[:, 1:-1]), alpha[:, :-2] + closed)
        alpha[:, 2:] = moved + step[rows[:, None], extended]
    return _final(alpha[:, 2:], sizes, np.logaddexp, -np.inf)


def _final(alpha: np.ndarray, sizes: np.ndarray, add, nothing: float) -> np.ndarray:
    """The sum over the two states in which a word may end: its last symbol and the blank after it."""
    index = np.arange(len(alpha))
    last = np.where(sizes > 0, alpha[index, np.maximum(2 * sizes - 1, 0)], nothing)
    return add(alpha[index, 2 * sizes], last)


class LanguageModel(Protocol):
    """What beam search asks of a character model."""

    def log_next(self, prefix: tuple[int, ...]) -> np.ndarray:
        """log p(next symbol | prefix), (K,); index 0 stands for the end of the word."""
        ...


def beam_search(
    log_probs: np.ndarray,
    width: int = 16,
    language_model: LanguageModel | None = None,
    weight: float = 0.5,
    bonus: float = 0.0,
    symbols_a_step: int = 12,
) -> list[Reading]:
    """Prefix beam search on one image (Hannun et al., "First-pass large vocabulary continuous speech recognition using
    bi-directional recurrent DNNs", 2014): the likeliest readings, best first, at most `width`.

    log_probs (T, K). A reading's rank is log p(l | y) + weight·log p_LM(l) + bonus·|l|; its confidence is p(l | y)
    alone, by the full forward sum. At most `symbols_a_step` symbols, the likeliest, are tried at each step.
    """
    beams = {(): (0.0, -np.inf)}  # prefix -> log p ending in a blank, log p ending in its last symbol
    prior = _Prior(language_model, weight, bonus)
    for step in log_probs.astype(np.float64):
        tried = [int(k) for k in np.argsort(-step)[:symbols_a_step] if k != BLANK]
        grown: dict[tuple[int, ...], tuple[float, float]] = {}
        for prefix, (blank, symbol) in beams.items():
            _grow(grown, prefix, blank, symbol, step, tried)
        ranked = sorted(grown, key=lambda p: -(np.logaddexp(*grown[p]) + prior(p)))
        beams = {p: grown[p] for p in ranked[:width]}
    return _as_readings(log_probs, list(beams), prior)


def _grow(
    grown: dict, prefix: tuple[int, ...], blank: float, symbol: float, step: np.ndarray, tried: list[int]
) -> None:
    """Adds what one prefix becomes in one step: stays (blank or repeat) or gains a symbol."""
    both = np.logaddexp(blank, symbol)
    stays = symbol + step[prefix[-1]] if prefix else -np.inf
    _add(grown, prefix, both + step[BLANK], stays)
    for k in tried:
        before = blank if prefix and k == prefix[-1] else both
        _add(grown, (*prefix, k), -np.inf, before + step[k])


def _add(grown: dict, prefix: tuple[int, ...], blank: float, symbol: float) -> None:
    """Adds log-probabilities of paths to a prefix's: those that end in a blank, those that end in its last symbol."""
    old = grown.get(prefix, (-np.inf, -np.inf))
    grown[prefix] = (float(np.logaddexp(old[0], blank)), float(np.logaddexp(old[1], symbol)))


def _as_readings(log_probs: np.ndarray, prefixes: list[tuple[int, ...]], prior: _Prior) -> list[Reading]:
    """The prefixes as readings, best first, scored by the full forward sum."""
    scores = forward_scores(log_probs, *pad(prefixes))
    order = sorted(range(len(prefixes)), key=lambda i: -(scores[i] + prior(prefixes[i], ended=True)))
    return [Reading(prefixes[i], float(np.exp(min(scores[i], 0.0)))) for i in order]


class _Prior:
    """weight·log p_LM + bonus·length of a prefix, remembered between steps."""

    def __init__(self, model: LanguageModel | None, weight: float, bonus: float):
        self.model, self.weight, self.bonus = model, weight, bonus
        self.known: dict[tuple[int, ...], float] = {(): 0.0}

    def __call__(self, prefix: tuple[int, ...], ended: bool = False) -> float:
        if prefix not in self.known:
            step = self.weight * float(self.model.log_next(prefix[:-1])[prefix[-1]]) if self.model else 0.0
            self.known[prefix] = self(prefix[:-1]) + step + self.bonus
        end = self.weight * float(self.model.log_next(prefix)[BLANK]) if ended and self.model else 0.0
        return self.known[prefix] + end
