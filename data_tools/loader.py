"""Batches for a model, from any reader: shuffled, augmented, resized, in worker processes, the same from one seed.

What a batch holds depends on (seed, epoch, batch number) alone: not on the number of workers, nor on where a run was
resumed. With a `window` batches hold pictures of like width, so that little of them is padding. Samples that cannot be
used are counted, named in the log and left out; their batch is that much smaller.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, islice

import numpy as np
from PIL import Image

from data_tools.errors import UserError
from data_tools.sample import CorruptSample, Reader
from data_tools.transforms import Transform, normalise
from data_tools.workers import Pool

logger = logging.getLogger(__name__)

Augment = Callable[[Image.Image, np.random.Generator], Image.Image]
Accept = Callable[[str], str | None]

REFUSED = "the label policy drops it"
_NAMED = 200
"""So many bad samples are named in the log; the others are counted only."""
_JUDGED = 1000
"""A share of corrupt samples says something after so many samples, or all of a smaller set."""


@dataclass(frozen=True)
class Batch:
    """Images float32 (N, C, H, W) in [-1, 1], narrower ones padded at the right with 0; their own widths int32 (N,).

    N is the batch size less what was skipped, and may be 0.
    """

    images: np.ndarray
    widths: np.ndarray
    texts: list[str]
    keys: list[str]


class Loader:
    """Batches of a reader.

    `batch_size` is the size of a global batch: of `ranks` processes, number `rank` gets every `ranks`-th sample of it,
    so the union over ranks is what one process would get, and all ranks have the same number of batches.
    `shuffle` orders each epoch anew. `augment(image, rng)` gets a generator of its own for each (seed, epoch, sample).
    `accept(text)` gives the label to train on, or None to drop the sample; it runs in this process. `reader`,
    `transform` and `augment` must be picklable where `workers` is not 0. `drop_last` leaves out a smaller batch at the
    end. More corrupt samples than the share `max_corrupt` end the epoch with a UserError. The samples of `window`
    batches in turn are sorted by their width into as many batches, which come in an order of their own.
    """

    def __init__(
        self,
        reader: Reader,
        transform: Transform,
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = False,
        augment: Augment | None = None,
        accept: Accept | None = None,
        workers: int = 0,
        rank: int = 0,
        ranks: int = 1,
        drop_last: bool = False,
        max_corrupt: float = 0.1,
        window: int = 1,
    ):
        if not 0 <= rank < ranks or batch_size < ranks:
            raise UserError(f"batch size {batch_size} cannot be shared: rank {rank} of {ranks} ranks")
        if not len(reader):
            raise UserError("the data set is empty; name one with samples")
        if drop_last and len(reader) < batch_size:
            raise UserError(f"the data set has {len(reader)} samples, less than one batch of {batch_size}; lower it")
        self.reader, self.transform, self.batch_size = reader, transform, batch_size
        if window < 1:
            raise UserError(f"window is {window}; batches are sorted by width in windows of 1 (not at all) or more")
        self.seed, self.shuffle, self.accept, self.window = seed, shuffle, accept, window
        self.rank, self.ranks, self.drop_last, self.max_corrupt = rank, ranks, drop_last, max_corrupt
        self.skipped: Counter[str] = Counter()
        self._named: set[str] = set()
        self._pool = Pool(_Load(reader, transform, augment, seed), workers, ahead=2 * window)

    @property
    def batches_per_epoch(self) -> int:
        """Batches in a whole epoch, the same on every rank."""
        whole, rest = divmod(len(self.reader), self.batch_size)
        return whole + bool(rest and not self.drop_last)

    def batches(self, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from number `start` on: exactly `batches_per_epoch - start` of them.

        Raises UserError where too many samples are corrupt, or not one of an epoch can be used.
        """
        order = self._order(epoch)
        first = start - start % self.window
        jobs = ((epoch, self._shard(order, number)) for number in range(first, self.batches_per_epoch))
        tally = _Tally(self.max_corrupt, min(_JUDGED, len(self.reader) // self.ranks))
        for chunk in islice(self._windows(self._pool.run(jobs), epoch, first), start - first, None):
            self._name(chunk.skipped)
            batch = self._batch(chunk)
            tally.add(len(chunk.widths) + len(chunk.skipped), len(chunk.skipped), len(batch.texts))
            yield batch
        if not start:
            tally.end(self.skipped)

    def close(self) -> None:
        """Ends the worker processes; a later epoch starts new ones."""
        self._pool.close()

    def _order(self, epoch: int) -> np.ndarray | range:
        if not self.shuffle:
            return range(len(self.reader))
        return np.random.default_rng((self.seed, epoch)).permutation(len(self.reader))

    def _windows(self, chunks: Iterator[Chunk], epoch: int, first: int) -> Iterator[Chunk]:
        """The chunks, from number `first` on, the samples of each window of them sorted by width."""
        if self.window == 1:
            yield from chunks
            return
        for number in count(first // self.window):
            group = list(islice(chunks, self.window))
            if not group:
                return
            rng = np.random.default_rng((self.seed, epoch, number))
            sorted_ = _by_width(group)
            yield from (sorted_[place] for place in rng.permutation(len(group)))

    def _shard(self, order: np.ndarray | range, number: int) -> np.ndarray:
        whole = order[number * self.batch_size : (number + 1) * self.batch_size]
        return np.asarray(whole[self.rank :: self.ranks], dtype=np.int64)

    def _batch(self, chunk: Chunk) -> Batch:
        texts = [self.accept(text) for text in chunk.texts] if self.accept else chunk.texts
        kept = [position for position, text in enumerate(texts) if text is not None]
        refused = [chunk.keys[position] for position, text in enumerate(texts) if text is None]
        self._name([CorruptSample(key, REFUSED) for key in refused])
        images = _assemble(chunk, kept, self.transform)
        return Batch(images, chunk.widths[kept], [texts[i] for i in kept], [chunk.keys[i] for i in kept])

    def _name(self, skipped: list[CorruptSample]) -> None:
        for sample in skipped:
            self.skipped[sample.why] += 1
            if sample.key not in self._named and len(self._named) < _NAMED:
                self._named.add(sample.key)
                more = " (further ones are counted, not named)" if len(self._named) == _NAMED else ""
                logger.warning("skipped %s: %s%s", sample.key, sample.why, more)


@dataclass(frozen=True)
class Chunk:
    """What a worker sends: pixels of all samples end to end, uint8 (C, H, W) each; widths int32 (N,)."""

    pixels: np.ndarray
    widths: np.ndarray
    texts: list[str]
    keys: list[str]
    skipped: list[CorruptSample]


def _by_width(chunks: list[Chunk]) -> list[Chunk]:
    """As many chunks, narrow to wide; the first of them names all skipped samples."""
    widths = np.concatenate([chunk.widths for chunk in chunks])
    pixels = [own for chunk in chunks for own in _pictures(chunk)]
    texts = [text for chunk in chunks for text in chunk.texts]
    keys = [key for chunk in chunks for key in chunk.keys]
    skipped = [sample for chunk in chunks for sample in chunk.skipped]
    out = []
    for rows in np.array_split(np.argsort(widths, kind="stable"), len(chunks)):
        flat = np.concatenate([pixels[row] for row in rows]) if len(rows) else np.empty(0, np.uint8)
        own = [texts[row] for row in rows], [keys[row] for row in rows]
        out.append(Chunk(flat, widths[rows], *own, [] if out else skipped))
    return out


def _pictures(chunk: Chunk) -> list[np.ndarray]:
    """The flat pixels of each sample of a chunk."""
    rows = len(chunk.pixels) // max(1, int(chunk.widths.sum()))  # C * H, the same for all
    return np.split(chunk.pixels, np.cumsum(chunk.widths[:-1], dtype=np.int64) * rows) if len(chunk.widths) else []


@dataclass(frozen=True)
class _Load:
    """A worker's task: (epoch, positions in the reader) to a Chunk."""

    reader: Reader
    transform: Transform
    augment: Augment | None
    seed: int

    def __call__(self, epoch: int, positions: np.ndarray) -> Chunk:
        pixels, texts, keys, skipped = [], [], [], []
        for position in positions.tolist():
            try:
                sample = self.reader[position]
                image = sample.image
                if self.augment is not None:
                    image = self.augment(image, np.random.default_rng((self.seed, epoch, position)))
                pixels.append(self.transform.pixels(image))
            except CorruptSample as corrupt:
                skipped.append(corrupt)
                continue
            texts.append(sample.text)
            keys.append(sample.key)
        widths = np.array([each.shape[2] for each in pixels], dtype=np.int32)
        flat = np.concatenate([each.reshape(-1) for each in pixels]) if pixels else np.empty(0, np.uint8)
        return Chunk(flat, widths, texts, keys, skipped)


def _assemble(chunk: Chunk, kept: list[int], transform: Transform) -> np.ndarray:
    """The kept images of a chunk as float32 (N, C, H, widest)."""
    shape = (transform.channels, transform.height)
    widths = chunk.widths[kept]
    width = int(widths.max()) if len(kept) else transform.min_width
    if len(kept) == len(chunk.widths) and (widths == width).all():
        return normalise(chunk.pixels).reshape(len(kept), *shape, width)
    images = np.zeros((len(kept), *shape, width), dtype=np.float32)
    pictures = _pictures(chunk)
    for row, position in enumerate(kept):
        own = int(chunk.widths[position])
        images[row, :, :, :own] = normalise(pictures[position]).reshape(*shape, own)
    return images


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
            raise UserError(f"not one of {self.seen} samples can be used ({_reasons(skipped)}); check the data set")


def _reasons(skipped: Counter[str]) -> str:
    return ", ".join(f"{count} × {why}" for why, count in skipped.most_common(3))
