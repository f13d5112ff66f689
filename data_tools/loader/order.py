"""Which samples make which batch: pure functions on numbers, so that an epoch can be taken up anywhere.

Three units. A *batch* is a run of `batch_size` places of the epoch's order. With length bucketing, the samples of a
*window* of batches are sorted by their extent and cut into as many batches again, which come in an order of their own.
With data echoing (Choi et al., "Faster neural network training with data echoing", 2019) a window is made of several
*groups*: its own, which is loaded for it, and earlier ones, which are used again. A group is `window / echo` batches.

Invariants, on which exact resumption rests:

1. What a window holds depends on its number and on `echo` alone, not on where a pass over the epoch began.
2. A pass loads each group that it needs exactly once: with the first of its windows that holds it.
3. Two uses of a group lie `APART` windows apart, but in the first windows of an epoch, which repeat themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from data_tools.checks import check_at_least
from data_tools.errors import UserError

APART = 4
"""Windows between two uses of an echoed group; far enough for the model to have changed, near enough to be kept."""


def epoch_order(length: int, seed: int, epoch: int, shuffle: bool) -> np.ndarray | range:
    """The places 0 to `length` - 1 in the order of an epoch.

    >>> list(epoch_order(5, seed=1, epoch=0, shuffle=False))
    [0, 1, 2, 3, 4]
    >>> epoch_order(5, seed=1, epoch=0, shuffle=True).tolist()
    [4, 0, 1, 2, 3]
    >>> epoch_order(5, seed=1, epoch=1, shuffle=True).tolist()
    [1, 4, 0, 3, 2]
    """
    return np.random.default_rng((seed, epoch)).permutation(length) if shuffle else range(length)


def shard(order: np.ndarray | range, batch: int, batch_size: int, rank: int = 0, ranks: int = 1) -> np.ndarray:
    """The places of batch number `batch` that process `rank` of `ranks` loads, int64: every `ranks`-th of the batch.

    >>> [shard(range(10), 1, 4, rank, 2).tolist() for rank in (0, 1)]
    [[4, 6], [5, 7]]
    >>> [shard(range(10), 2, 4, rank, 2).tolist() for rank in (0, 1)]
    [[8], [9]]
    """
    whole = order[batch * batch_size : (batch + 1) * batch_size]
    return np.asarray(whole[rank::ranks], dtype=np.int64)


def held_groups(window: int, echo: int) -> list[int]:
    """The groups whose samples a window holds, its own first. The first windows repeat their own.

    >>> [held_groups(window, echo=2) for window in (0, 3, 4, 9)]
    [[0, 0], [3, 3], [4, 0], [9, 5]]
    >>> [held_groups(window, echo=3) for window in (3, 6, 9)]
    [[3, 3, 3], [6, 2, 6], [9, 5, 1]]
    """
    return [window - back if window >= back else window for back in range(0, echo * APART, APART)]


def groups_to_load(window: int, first: int, echo: int) -> list[int]:
    """The groups that a pass which began at window `first` loads for `window`.

    From the beginning that is the window's own. A pass that is taken up later also loads the older groups, which an
    uninterrupted one still has: all of them within its first `APART` windows, since window w and window w + APART
    share all groups but the newest and the oldest.

    >>> [groups_to_load(window, first=0, echo=2) for window in (0, 4, 9)]
    [[0], [4], [9]]
    >>> [groups_to_load(window, first=9, echo=2) for window in (9, 10, 11, 12, 13)]
    [[9, 5], [10, 6], [11, 7], [12, 8], [13]]
    """
    return list(dict.fromkeys(held_groups(window, echo))) if window - first < APART else [window]


def is_held_later(group: int, window: int, echo: int) -> bool:
    """Whether a window after `window` holds `group`, so that it must be kept.

    >>> [is_held_later(5, window, echo=2) for window in (5, 8, 9)]
    [True, True, False]
    >>> is_held_later(5, 5, echo=1)
    False
    """
    return group + (echo - 1) * APART > window


@dataclass(frozen=True)
class Schedule:
    """How an epoch of `samples` samples is cut into batches, windows and groups. Raises UserError where it cannot be.

    `batch_size` is that of a global batch, which `ranks` processes share. `drop_last` leaves out a smaller last batch.

    >>> plain, echoed = Schedule(30, 4), Schedule(30, 4, window=4, echo=2)
    >>> plain.loaded_batches, plain.batches, plain.windows(0)
    (8, 8, range(0, 8))
    >>> echoed.loaded_batches, echoed.batches, echoed.windows(1)  # 8 batches in 4 groups, each in 2 windows of 4
    (8, 16, range(1, 4))
    """

    samples: int
    batch_size: int
    rank: int = 0
    ranks: int = 1
    drop_last: bool = False
    window: int = 1
    echo: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.ranks or self.batch_size < self.ranks:
            raise UserError(f"batch size {self.batch_size} cannot be shared: rank {self.rank} of {self.ranks} ranks")
        if not self.samples:
            raise UserError("the data set is empty; name one with samples")
        if self.drop_last and self.samples < self.batch_size:
            raise UserError(
                f"the data set has {self.samples} samples, less than one batch of {self.batch_size}; lower it"
            )
        check_at_least("window", self.window, 1)
        if self.echo < 1 or self.window % self.echo:
            raise UserError(f"echo is {self.echo}; it must divide the window of {self.window} batches (train.window)")
        if self.echo > 1 and self.batch_size * self.group > self.samples:
            raise UserError(f"the data set has {self.samples} samples, too few to echo; set echo to 1")

    @property
    def group(self) -> int:
        """Batches that are loaded for one window."""
        return self.window // self.echo

    @property
    def loaded_batches(self) -> int:
        """Batches that an epoch loads."""
        whole, rest = divmod(self.samples, self.batch_size)
        return whole + bool(rest and not self.drop_last)

    @property
    def batches(self) -> int:
        """Batches that an epoch gives, the same on every rank; echoed ones come of whole groups only."""
        return self.loaded_batches // self.group * self.window if self.echo > 1 else self.loaded_batches

    def windows(self, first: int) -> range:
        """The windows of an epoch from number `first` on; the last may be smaller."""
        return range(first, -(-self.batches // self.window))

    def batches_of(self, group: int) -> range:
        """The batches of a group.

        >>> Schedule(30, 4, window=3).batches_of(2)
        range(6, 8)
        """
        return range(group * self.group, min((group + 1) * self.group, self.loaded_batches))

    def batches_to_load(self, first: int) -> Iterator[int]:
        """The batches that a pass from window `first` on loads, in order.

        >>> list(Schedule(30, 4, window=2, echo=2).batches_to_load(5))  # window 5 holds group 1 again, 6 holds 2
        [5, 1, 6, 2, 7, 3]
        """
        for window in self.windows(first):
            for group in groups_to_load(window, first, self.echo):
                yield from self.batches_of(group)
