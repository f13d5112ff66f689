"""Several data sets in stated shares: `A:2 B:1` gives two samples of A for one of B, in every batch, without end."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from data_tools.errors import UserError
from data_tools.readers.open import open_readers
from data_tools.sample import CorruptSample, Reader, Sample

LONGEST = 100_000
"""Samples after which the order of the sets repeats itself, at most."""
_FINEST = 1000
_KEPT = 2
"""Orders of a set that are kept: those of the pass that ends and the one that begins."""


class Mixed:
    """`size` samples of several readers: `mixed[i]` depends on (seed, i) and the readers alone, in whatever process.

    The sets take turns as evenly as their shares allow. Each gives all its samples in an order of its own before it
    gives one again. Keys begin with the name of the set. Raises UserError for shares that are no numbers above 0.
    """

    ordered = True
    """Not to be shuffled: the order is the mixture."""

    def __init__(self, parts: Sequence[tuple[str, Reader]], shares: Sequence[float], seed: int, size: int):
        self._parts, self.seed, self.size = list(parts), seed, size
        self._weights = to_weights(shares)
        self._turns = take_turns(self._weights)
        counts = [0] * len(self._weights)
        self._before = []  # how often the part had its turn in this round before
        for part in self._turns:
            self._before.append(counts[part])
            counts[part] += 1
        self._orders: dict[tuple[int, int], np.ndarray] = {}

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < self.size:
            raise IndexError(index)
        part, place = self._find(index)
        name, reader = self._parts[part]
        try:
            sample = reader[place]
        except CorruptSample as corrupt:
            raise CorruptSample(f"{name}/{corrupt.key}", corrupt.why, corrupt.part) from corrupt
        return replace(sample, key=f"{name}/{sample.key}")

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_orders": {}}

    def _find(self, index: int) -> tuple[int, int]:
        """Which set, and which of its samples."""
        turn, place = divmod(index, len(self._turns))
        part = self._turns[place]
        given = turn * self._weights[part] + self._before[place]
        number, at = divmod(given, len(self._parts[part][1]))
        return part, int(self._order(part, number)[at])

    def _order(self, part: int, number: int) -> np.ndarray:
        """The order of a set in pass `number`, uint32."""
        if (part, number) not in self._orders:
            rng = np.random.default_rng((self.seed, part, number))
            for key in sorted(key for key in self._orders if key[0] == part)[: 1 - _KEPT]:
                del self._orders[key]
            self._orders[part, number] = rng.permutation(len(self._parts[part][1])).astype(np.uint32)
        return self._orders[part, number]


def to_weights(shares: Sequence[float]) -> list[int]:
    """The smallest whole numbers in the same proportion. Raises UserError.

    >>> to_weights([2, 1]), to_weights([0.5, 0.25, 0.25])
    ([2, 1], [2, 1, 1])
    """
    for share in shares:
        if not (math.isfinite(share) and share > 0):
            raise UserError(f"a share of {share:g} cannot be mixed; it must be a number above 0")
    fractions = [Fraction(share).limit_denominator(_FINEST) for share in shares]
    whole = math.lcm(*(each.denominator for each in fractions))
    weights = [int(each * whole) for each in fractions]
    common = math.gcd(*weights)
    if not all(weights) or sum(weights) > LONGEST * common:
        raise UserError(
            f"shares {', '.join(f'{share:g}' for share in shares)} are too far apart or too fine to be mixed"
        )
    return [weight // common for weight in weights]


def take_turns(weights: Sequence[int]) -> list[int]:
    """One round of turns, each part as often as its weight says, spread evenly (smooth weighted round robin).

    >>> take_turns([3, 1]), take_turns([2, 1, 1])
    ([0, 0, 1, 0], [0, 1, 2, 0])
    """
    credit, turns = [0] * len(weights), []
    for _ in range(sum(weights)):
        credit = [have + weight for have, weight in zip(credit, weights)]
        part = credit.index(max(credit))
        credit[part] -= sum(weights)
        turns.append(part)
    return turns


def split_share(text: str) -> tuple[str, float | None]:
    """A path and its share, None where none is said. What is there as it stands is a path, colons and all.

    >>> split_share("words.lmdb:2.5"), split_share("words.lmdb")
    (('words.lmdb', 2.5), ('words.lmdb', None))
    """
    path, mark, number = text.rpartition(":")
    if not mark or not path or Path(text).exists():
        return text, None
    try:
        return path, float(number)
    except ValueError:
        return text, None


def open_shares(
    texts: Sequence[str], seed: int, size: int, open_all: Callable[[list[str]], Reader] = open_readers
) -> Reader:
    """The data sets that `texts` name: `size` samples of them in shares where one says its share (`A:2`; the others
    have 1), else all as one set. `open_all` opens paths as one set. Raises UserError.
    """
    paths, shares = zip(*map(split_share, texts))
    if all(share is None for share in shares):
        return open_all(list(paths))
    given = [1.0 if share is None else share for share in shares]
    to_weights(given)  # what cannot be mixed is said before anything is opened
    return Mixed([(path, open_all([path])) for path in paths], given, seed, size)
