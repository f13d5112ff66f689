"""Lines longer than a model's widest picture, read in overlapping pieces that are joined where both read the same.

What is joined are the log-probabilities of the steps, before anything is decoded: a lexicon, a language and places of
characters are found in the whole line as in one that was read at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST = 64
"""Pieces at most in one line; longer ones are made narrower."""
OVERLAP = 8
"""Columns that two pieces share, in heights of the picture: about eight letters, so that half of them are seen with
what stands around them."""
AGREE = 3
"""Steps around a seam that are compared."""


@dataclass(frozen=True)
class Pieces:
    """How lines are cut for a model whose pictures are at most `widest` columns wide and `height` rows high, in
    multiples of `multiple`; `rate` steps a column.
    """

    widest: int
    height: int
    multiple: int
    rate: float

    @property
    def overlap(self) -> int:
        """Columns, a multiple, at most half a piece."""
        columns = min(OVERLAP * self.height, self.widest // 2)
        return max(columns // self.multiple, 1) * self.multiple

    @property
    def longest(self) -> int:
        """Columns of the longest line."""
        return MOST * self.widest

    def starts(self, width: int) -> list[int]:
        """The first columns of the pieces, all `widest` wide, of a line of `width` columns, a multiple."""
        stride = self.widest - self.overlap
        count = 1 + -(-max(width - self.widest, 0) // stride)
        return [min(number * stride, width - self.widest) for number in range(count)]

    def cut(self, images: np.ndarray) -> np.ndarray:
        """Lines (N, C, H, W) as pieces (P * N, C, H, widest), those of the first place first."""
        return np.concatenate([images[:, :, :, x : x + self.widest] for x in self.starts(images.shape[3])])

    def join(self, log_probs: np.ndarray, width: int) -> np.ndarray:
        """Log-probabilities (T, P * N, K) of the pieces as those of the lines of `width` columns, (T', N, K)."""
        starts = self.starts(width)
        parts = np.split(log_probs, len(starts), axis=1)
        joined, begin = parts[0], 0
        for part, start in zip(parts[1:], starts[1:]):
            begin = round(start * self.rate)
            shared = len(joined) - begin
            seams = begin + _find_seams(joined[begin:], part[:shared])
            line = np.concatenate([joined[:begin], part])
            kept = np.arange(len(joined))[:, None] < seams  # (T, N)
            line[: len(joined)] = np.where(kept[:, :, None], joined, line[: len(joined)])
            joined = line
        return joined


def _find_seams(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Of steps that two pieces share, (L, N, K) each, the one of each line from which on the later is taken, (N,).

    It is where both say the same for AGREE steps before and after (the Bhattacharyya coefficient of their
    distributions), within the middle half, since at its end a piece lacks what stands beyond; of equal ones the one
    nearest to the middle.
    """
    length = len(before)
    same = np.log(np.exp(0.5 * (before.astype(np.float64) + after)).sum(2) + 1e-12)  # (L, N), at most 0
    total = np.concatenate([np.zeros_like(same[:1]), np.cumsum(same, axis=0)])
    low, high = length // 4, max(length - length // 4, length // 4 + 1)
    places = np.arange(low, high)
    around = total[np.minimum(places + AGREE, length)] - total[np.maximum(places - AGREE, 0)]
    middling = 1e-3 * np.abs(places - length / 2)[:, None]
    return low + np.argmax(around - middling, axis=0)
