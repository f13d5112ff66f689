"""The likeliest texts of a picture, best first, each with its log-probability: what a teacher passes on.

Log-probabilities are summed, never probabilities: a sum of probabilities makes long texts likelier than short ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crnn_jt.decoding import ctc, native

Hypothesis = tuple[tuple[int, ...], float]
"""Symbols and log p(symbols | picture)."""
FLOOR = 1e-4
"""Symbols below this chance at a step are not tried by the compiled beam of CTC."""
SPARE = 2
"""How many times as many prefixes are kept as texts are asked for, and as many symbols tried at a place."""
END = 0


def search_frames(log_probs: np.ndarray, lengths: Sequence[int], count: int) -> list[list[Hypothesis]]:
    """The `count` likeliest texts by CTC's prefix beam, with their full forward sums; log_probs (T, N, K)."""
    scaled, offsets = ctc.scale(ctc.close(log_probs, lengths))
    found = _search_prefixes(np.ascontiguousarray(scaled), log_probs, lengths, max(8, SPARE * count))
    rows = np.repeat(np.arange(len(found)), [len(own) for own in found])
    words, sizes = ctc.pad([text for own in found for text in own])
    total = ctc.forward_linear(scaled, rows, words, sizes)
    scores = ctc.settle(total, offsets, ctc.close(log_probs, lengths), rows, words, sizes)
    each = iter(scores.tolist())
    return [sorted(((text, next(each)) for text in own), key=_by_score)[:count] for own in found]


def _search_prefixes(scaled: np.ndarray, log_probs: np.ndarray, lengths, width: int) -> list[list[tuple[int, ...]]]:
    """The texts in the beam of each picture after its last step, by the compiled search where there is one."""
    steps, count, symbols = scaled.shape
    library = native.library()
    if library is None:
        beams = (ctc.beam_search(log_probs[: lengths[n], n], width) for n in range(count))
        return [[reading.indices for reading in own] for own in beams]
    words, sizes = np.zeros((count, width, steps), np.int32), np.full((count, width), -1, np.int32)
    at = native.pointer
    library.beams(at(scaled), steps, count, symbols, at(None), width, FLOOR, steps, at(words), at(sizes))
    return [
        [tuple(word[:size].tolist()) for word, size in zip(own, ends) if size >= 0] for own, ends in zip(words, sizes)
    ]


def search_places(log_probs: np.ndarray, count: int) -> list[list[Hypothesis]]:
    """The `count` likeliest texts where each place is answered by itself, index 0 the end; log_probs (T', N, K)."""
    return [_search_one(own, count) for own in log_probs.transpose(1, 0, 2).astype(np.float64)]


def _search_one(log_probs: np.ndarray, count: int) -> list[Hypothesis]:
    """Of one picture, (T', K). A prefix that is less likely than `count` texts that have ended can become no better."""
    prefixes: list[Hypothesis] = [((), 0.0)]
    ended: list[Hypothesis] = []
    for step in log_probs:
        ended = sorted([*ended, *((text, score + step[END]) for text, score in prefixes)], key=_by_score)[:count]
        tried = [int(k) for k in np.argsort(-step)[: count + 1] if k != END][:count]
        grown = [((*text, k), score + float(step[k])) for text, score in prefixes for k in tried]
        worst = ended[-1][1] if len(ended) == count else -np.inf
        prefixes = [one for one in sorted(grown, key=_by_score)[:count] if one[1] > worst]
        if not prefixes:
            break
    return [(text, float(score)) for text, score in ended]


def _by_score(one: Hypothesis) -> float:
    return -one[1]


class StepBeam:
    """A beam over many pictures at once for decoders, `count` prefixes each: row k · N + n is prefix k of picture n.

    Before each step `symbols` (rows,) is what each row's decoder sees; `advance(log_probs)` says from which rows the
    states of the next step come. At most `longest` symbols, then the end.
    """

    def __init__(self, pictures: int, count: int, start: int, longest: int):
        self.pictures, self.count, self.longest = pictures, count, longest
        self.symbols = np.full(count * pictures, start)
        self.texts: list[list[tuple[int, ...]]] = [[()] * pictures for _ in range(count)]
        self.scores = np.full((count, pictures), -np.inf)
        self.scores[0] = 0.0  # all prefixes are the same at first: one of them counts
        self.ended: list[list[Hypothesis]] = [[] for _ in range(pictures)]

    @property
    def is_over(self) -> bool:
        """Whether no prefix could still become one of the likeliest texts."""
        worst = [own[-1][1] if len(own) == self.count else -np.inf for own in self.ended]
        return bool((self.scores.max(0) <= worst).all())

    def advance(self, log_probs: np.ndarray) -> np.ndarray:
        """Takes in log_probs (rows, K) of the next symbol; -> the row that each new row follows, (rows,)."""
        count, pictures = self.count, self.pictures
        scores = self.scores[:, :, None] + log_probs.reshape(count, pictures, -1)  # (count, N, K)
        for n, own in enumerate(self.ended):
            ends = [(self.texts[k][n], float(scores[k, n, END])) for k in range(count)]
            self.ended[n] = sorted([*own, *(one for one in ends if np.isfinite(one[1]))], key=_by_score)[:count]
        scores[:, :, END] = -np.inf
        if len(self.texts[0][0]) == self.longest:
            self.scores = np.full_like(self.scores, -np.inf)
            return np.arange(count * pictures)
        flat = scores.transpose(1, 0, 2).reshape(pictures, -1)
        best = np.argsort(-flat, axis=1, kind="stable")[:, :count]  # (N, count)
        parents, symbols = np.divmod(best, scores.shape[2])
        self.texts = [
            [(*self.texts[parents[n, k]][n], int(symbols[n, k])) for n in range(pictures)] for k in range(count)
        ]
        self.scores = np.take_along_axis(flat, best, 1).T
        self.symbols = symbols.T.ravel()
        return (parents.T * pictures + np.arange(pictures)).ravel()
