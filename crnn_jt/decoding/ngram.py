"""Character n-grams of a whole word list at once, interpolated as Witten and Bell (1991) do, in numpy.

What `language_model.CharacterLM` says of one prefix, this says of many words in one call; counts are sorted keys.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

EDGE = 0
"""Before a word and at its end."""
REMEMBERED = 32_749
"""A prime number: half a megabyte of windows of which the chance is remembered."""
_MOST = 1 << 20  # counts below this fit into one number with their key


class NGram:
    """p(word) by its characters, each after the `order` - 1 before it; `characters[i]` has index i+1.

    `words` are learnt with whole `counts` (M,); those with characters outside the set are left out. Of what is asked
    for, such characters have the chance of one that was never seen. Large sets get shorter n-grams, since keys are
    whole numbers of 64 bits.
    """

    def __init__(self, words: Sequence[str], counts: np.ndarray, characters: Sequence[str], order: int = 5):
        self.base = len(characters) + 2  # the edge, the characters, any other one
        while order > 3 and self.base**order * _MOST >= 2**63:
            order -= 1
        self.order = order
        self.codes = {character: i + 1 for i, character in enumerate(characters)}
        points = [ord(character) for character in self.codes]
        self._table = np.full(max(points, default=0) + 2, self.base - 1, np.int64)  # the last is any other character
        self._table[points] = list(self.codes.values())
        padded, sizes = self.encode(words)
        known = ~(padded == self.base - 1).any(1)
        padded, sizes, counts = padded[known], sizes[known], np.asarray(counts)[known]
        inside = np.arange(padded.shape[1] - order + 1) <= sizes[:, None]  # its last symbol is the word's end
        keys, weights = _add_up(self._windows(padded, order)[inside], np.repeat(counts, sizes + 1))
        self.levels = []
        for n in range(order, 0, -1):
            keys, weights = _add_up(keys % self.base**n, weights)
            self.levels.insert(0, Level(keys, weights, self.base))
        self._keys, self._logs = np.full(REMEMBERED, -1), np.zeros(REMEMBERED)

    def encode(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Words as indices between edges, (M, order - 1 + L + 1), and their sizes (M,)."""
        sizes = np.array([len(word) for word in words], dtype=np.int64)
        padded = np.full((len(words), self.order + int(sizes.max(initial=0))), EDGE, dtype=np.int64)
        points = np.frombuffer("".join(words).encode("utf-32-le", "surrogatepass"), np.uint32)
        flat = self._table[np.minimum(points, len(self._table) - 1)]
        columns = np.arange(padded.shape[1]) - (self.order - 1)
        padded[(columns >= 0) & (columns < sizes[:, None])] = flat
        return padded, sizes

    def _windows(self, padded: np.ndarray, n: int) -> np.ndarray:
        """Keys of the last `n` symbols up to each place that is predicted, (M, L + 1)."""
        places = padded.shape[1] - self.order + 1
        keys = np.zeros((len(padded), places), dtype=np.int64)
        for back in range(n - 1, -1, -1):
            start = self.order - 1 - back
            keys = keys * self.base + padded[:, start : start + places]
        return keys

    def log_p(self, words: Sequence[str]) -> np.ndarray:
        """log p(word and its end), (M,)."""
        padded, sizes = self.encode(words)
        keys = self._windows(padded, self.order)
        inside = np.arange(keys.shape[1]) <= sizes[:, None]
        return np.add.reduceat(self._look_up(keys[inside]), np.cumsum(sizes + 1) - sizes - 1)

    def _look_up(self, keys: np.ndarray) -> np.ndarray:
        """log p of the last symbol of windows (W,). Of windows with one remainder the last is remembered: words asked
        for are much alike, such as a beam's readings.
        """
        slots = keys % REMEMBERED
        logs, new = self._logs[slots], np.flatnonzero(self._keys[slots] != keys)
        if len(new):
            distinct, back = np.unique(keys[new], return_inverse=True)
            chances = np.full(len(distinct), 1.0 / self.base)
            for n, level in enumerate(self.levels, start=1):
                chances = level.mix(distinct % self.base**n, chances)
            logs[new] = np.log(chances)[back]
            self._keys[slots[new]], self._logs[slots[new]] = keys[new], logs[new]
        return logs

    def table(self) -> np.ndarray:
        """p(the last | the two before it) of every three symbols, (K, K, K) with K the characters and the edge."""
        size = self.base - 1
        first, second, third = np.indices((size, size, size)).reshape(3, -1)
        chances = np.full(size**3, 1.0 / self.base)
        for level, keys in zip(self.levels, (third, second * self.base + third)):
            chances = level.mix(keys, chances)
        chances = self.levels[2].mix((first * self.base + second) * self.base + third, chances)
        return chances.reshape(size, size, size)


class Level:
    """The n-grams of one length: counts of keys, of their contexts, and how many different symbols follow these."""

    def __init__(self, keys: np.ndarray, counts: np.ndarray, base: int):
        self.keys, self.counts, self.base = keys, counts, base
        self.contexts, first = np.unique(keys // base, return_index=True)
        self.totals, self.kinds = np.add.reduceat(counts, first), np.diff(np.append(first, len(keys)))

    def mix(self, keys: np.ndarray, shorter: np.ndarray) -> np.ndarray:
        """p(last symbol | context) of keys, given what the shorter contexts say."""
        contexts = keys // self.base
        place, known = _find(self.contexts, contexts)
        kinds = self.kinds[place]
        same, there = _find(self.keys, keys)
        seen = np.where(there, self.counts[same], 0)
        return np.where(known, (seen + kinds * shorter) / (self.totals[place] + kinds), shorter)


def _add_up(keys: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct keys, sorted, and the sum of each one's counts; one sort of both packed together."""
    most = int(counts.max(initial=0)) + 1
    keys, counts = np.divmod(np.sort(keys * most + counts), most)
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    return keys[first], np.add.reduceat(counts, first)


def _find(keys: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each wanted key stands among the sorted ones, and whether it does."""
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return place, keys[place] == wanted
