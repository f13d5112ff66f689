"""Batches for a model, from any reader, in worker processes, the same from one seed.

What a batch holds depends on (seed, epoch, batch number) alone: not on the number of workers, nor on where a run was
resumed (`order.py` says how). What a batch is, a collate decides (`collate.py`). Samples that cannot be used are
counted, named in the log and left out; their batch is that much smaller.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from data_tools.chunks import Chunk, ChunkCache
from data_tools.errors import UserError
from data_tools.loader.collate import AnyBatch, Augment, Collate, Record, TextLines
from data_tools.loader.order import Schedule, epoch_order, groups_to_load, held_groups, is_held_later, shard
from data_tools.sample import CorruptSample, Reader
from data_tools.transforms import Transform
from data_tools.workers import Pool

logger = logging.getLogger(__name__)

Accept = Callable[[str], str | None]

REFUSED = "the label policy drops it"
_NAMED = 200
"""At most this many bad samples are named in the log; the others are counted only."""
_JUDGED = 1000
"""The share of corrupt samples is judged once this many samples were seen, or all of a smaller set."""


def text_loader(
    reader: Reader, transform: Transform, batch_size: int, *, augment: Augment | None = None, **options
) -> Loader:
    """A Loader of pictures of one line of text; `options` are the Loader's."""
    return Loader(reader, TextLines(transform, augment), batch_size, **options)


class Loader:
    """Batches of a reader, as `collate` makes them.

    `batch_size` is the size of a global batch: of `ranks` processes, number `rank` gets every `ranks`-th sample of it,
    so the union over ranks is what one process would get, and all ranks have the same number of batches.
    `shuffle` orders each epoch anew. `accept(text)` gives the label to train on, or None to drop the sample; it runs in
    this process, and is for collates whose records have a `text`. `reader` and `collate` must be picklable where
    `workers` is not 0. `drop_last` leaves out a smaller batch at the end. More corrupt samples than the share
    `max_corrupt` end the epoch with a UserError. The samples of `window` batches in turn are sorted by their extent
    into as many batches, which come in an order of their own. Each sample is in `echo` windows, some windows apart; the
    first windows of an epoch echo themselves. What workers make is kept in the folder `cache`, for a later epoch or
    another process.

    Raises UserError where batch size, ranks, window, echo and the number of samples do not go together.
    """

    def __init__(
        self,
        reader: Reader,
        collate: Collate,
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = False,
        accept: Accept | None = None,
        workers: int = 0,
        rank: int = 0,
        ranks: int = 1,
        drop_last: bool = False,
        max_corrupt: float = 0.1,
        window: int = 1,
        echo: int = 1,
        cache: str | None = None,
    ):
        self.schedule = Schedule(len(reader), batch_size, rank, ranks, drop_last=drop_last, window=window, echo=echo)
        self.collate, self.seed, self.shuffle = collate, seed, shuffle
        self.accept, self.max_corrupt = accept, max_corrupt
        self._skips = _Skips()
        task = _Load(reader, collate, seed)
        self._pool = Pool(_Cached(task, ChunkCache(cache, task)) if cache else task, workers, ahead=2 * window)

    @property
    def batches_per_epoch(self) -> int:
        """Batches in a whole epoch, the same on every rank."""
        return self.schedule.batches

    @property
    def skipped(self) -> Counter[str]:
        """How many samples were left out until now, by reason."""
        return self._skips.counts

    def batches(self, epoch: int = 0, start: int = 0) -> Iterator[AnyBatch]:
        """The batches of an epoch from number `start` on: exactly `batches_per_epoch - start` of them.

        Raises UserError where too many samples are corrupt, or not one of an epoch can be used.
        """
        schedule = self.schedule
        first, inside = divmod(start, schedule.window)
        tally = _Tally(self.max_corrupt, min(_JUDGED, schedule.samples // schedule.ranks))
        for chunk in islice(self._windows(epoch, first), inside, None):
            self._skips.add(chunk.skipped)
            batch = self.collate.batch(self._apply_policy(chunk.records))
            tally.add(len(chunk.records) + len(chunk.skipped), len(chunk.skipped), len(batch))
            yield batch
        if not start:
            tally.end(self.skipped)

    def close(self) -> None:
        """Ends the worker processes; a later epoch starts new ones."""
        self._pool.close()

    def _load(self, epoch: int, first: int) -> Iterator[Chunk]:
        """The chunks, one a batch, that a pass from window `first` on loads."""
        schedule = self.schedule
        order = epoch_order(schedule.samples, self.seed, epoch, self.shuffle)
        return self._pool.run(
            (epoch, shard(order, batch, schedule.batch_size, schedule.rank, schedule.ranks))
            for batch in schedule.batches_to_load(first)
        )

    def _windows(self, epoch: int, first: int) -> Iterator[Chunk]:
        """The chunks of each window from number `first` on, their records sorted by extent."""
        chunks, schedule = self._load(epoch, first), self.schedule
        if schedule.window == 1:
            yield from chunks
            return
        kept: dict[int, list[Chunk]] = {}
        for window in schedule.windows(first):
            for group in groups_to_load(window, first, schedule.echo):
                kept[group] = list(islice(chunks, schedule.group))
            held = [chunk for group in held_groups(window, schedule.echo) for chunk in kept[group]]
            # An echoed sample that was skipped is named once: what is kept for later windows has no skipped ones.
            kept = {
                group: [Chunk(chunk.records) for chunk in own]
                for group, own in kept.items()
                if is_held_later(group, window, schedule.echo)
            }
            buckets = _sort_by_extent(held, self.collate)
            rng = np.random.default_rng((self.seed, epoch, window))
            yield from (buckets[place] for place in rng.permutation(len(buckets)))

    def _apply_policy(self, records: Sequence[Record]) -> Sequence[Record]:
        """The records that the label policy keeps, with its labels."""
        if self.accept is None:
            return records
        labels = [self.accept(record["text"]) for record in records]
        self._skips.add(
            [CorruptSample(record["key"], REFUSED, "label") for record, label in zip(records, labels) if label is None]
        )
        return [{**record, "text": label} for record, label in zip(records, labels) if label is not None]


def _sort_by_extent(chunks: list[Chunk], collate: Collate) -> list[Chunk]:
    """As many chunks, short to long; the first of them names all skipped samples."""
    records = [record for chunk in chunks for record in chunk.records]
    skipped = [sample for chunk in chunks for sample in chunk.skipped]
    by_extent = np.argsort([collate.extent(record) for record in records], kind="stable")
    rows = np.array_split(by_extent, len(chunks))
    return [Chunk([records[row] for row in own], () if n else skipped) for n, own in enumerate(rows)]


@dataclass(frozen=True)
class _Load:
    """A worker's task: (epoch, positions in the reader) to a Chunk."""

    reader: Reader
    collate: Collate
    seed: int

    def __call__(self, epoch: int, positions: np.ndarray) -> Chunk:
        records, skipped, draws = [], [], self.collate.draws
        for position in positions.tolist():
            rng = np.random.default_rng((self.seed, epoch, position)) if draws else None
            try:
                records.append(self.collate.record(self.reader[position], rng))
            except CorruptSample as corrupt:
                skipped.append(corrupt)
        return Chunk(records, skipped)


@dataclass(frozen=True)
class _Cached:
    """The same task, its chunks kept."""

    task: _Load
    cache: ChunkCache

    def __call__(self, epoch: int, positions: np.ndarray) -> Chunk:
        return self.cache.get(lambda: self.task(epoch, positions), b"%d" % epoch, positions.tobytes())


class _Skips:
    """Samples that were left out: all counted by reason, the first of them named in the log, each once."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._named: set[str] = set()

    def add(self, skipped: Sequence[CorruptSample]) -> None:
        for sample in skipped:
            self.counts[sample.why] += 1
            if sample.key not in self._named and len(self._named) < _NAMED:
                self._named.add(sample.key)
                more = " (further ones are counted, not named)" if len(self._named) == _NAMED else ""
                logger.warning("skipped %s: %s%s", sample.key, sample.why, more)


class _Tally:
    """Counts of one pass, and when they end it."""

    def __init__(self, max_corrupt: float, judged: int):
        self.max_corrupt, self.judged = max_corrupt, judged
        self.seen = self.corrupt = self.used = 0

    def add(self, seen: int, corrupt: int, used: int) -> None:
        self.seen, self.corrupt, self.used = self.seen + seen, self.corrupt + corrupt, self.used + used
        if self.corrupt > self.max_corrupt * max(self.seen, self.judged):
            raise UserError(
                f"{self.corrupt} of {self.seen} samples are corrupt, more than {self.max_corrupt:.0%} (max_corrupt); "
                "the log names them; mend the data set or allow more"
            )

    def end(self, skipped: Counter[str]) -> None:
        if self.seen and not self.used:
            reasons = ", ".join(f"{count} × {why}" for why, count in skipped.most_common(3))
            raise UserError(f"not one of {self.seen} samples can be used ({reasons}); check the data set")
