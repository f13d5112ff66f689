"""A character n-gram model for beam search: counts of a word list, interpolated as Witten and Bell (1991) do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

END = 0  # the end of a word, at the index that is the blank elsewhere


class CharacterLM:
    """p(next symbol | the last order-1 symbols) over a character set; `characters[i]` has index i+1.

    Every symbol keeps a chance, so a word outside the list is unlikely, never impossible. Words with characters outside
    the set are left out.
    """

    def __init__(self, words: Sequence[str], characters: Sequence[str], order: int = 4):
        codes = {character: i + 1 for i, character in enumerate(characters)}
        self.order, self.size = order, len(codes) + 1
        self.counts: dict[tuple[int, ...], dict[int, int]] = defaultdict(lambda: defaultdict(int))
        for word in words:
            if set(word) <= codes.keys():
                self._learn([*(codes[c] for c in word), END])
        self._next = lru_cache(maxsize=100_000)(self._interpolate)

    def _learn(self, symbols: list[int]) -> None:
        """Counts each symbol of one word after each of its contexts, from none to `order` - 1 symbols."""
        for i, symbol in enumerate(symbols):
            for length in range(min(i, self.order - 1) + 1):
                self.counts[tuple(symbols[i - length : i])][symbol] += 1

    def log_next(self, prefix: Sequence[int]) -> np.ndarray:
        """log p(next | prefix of symbol indices), (K,); index 0 is the end of the word."""
        known = tuple(prefix[max(len(prefix) - self.order + 1, 0) :])
        return np.log(self._next(known))

    def _interpolate(self, context: tuple[int, ...]) -> np.ndarray:
        """p(next | context), (K,): counts, and the next shorter context's distribution worth as many observations as
        different symbols were seen here (Witten and Bell's method C).
        """
        shorter = self._next(context[1:]) if context else np.full(self.size, 1.0 / self.size)
        seen = self.counts.get(context)
        if not seen:
            return shorter
        counts = np.zeros(self.size)
        counts[list(seen)] = list(seen.values())
        return (counts + len(seen) * shorter) / (counts.sum() + len(seen))
