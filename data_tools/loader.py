"""Batches for a model, from any reader: shuffled, augmented, resized, in worker processes, the same from one seed.

What a batch holds depends on (seed, epoch, batch number) alone: not on the number of workers, nor on where a run was
resumed. With a `window` batches hold pictures of like width, so that little of them is padding; with an `echo` a sample
that was slow to make is used several times (Choi et al., "Faster neural network training with data echoing", 2019).
Samples that cannot be used are counted, named in the log and left out; their batch is that much smaller.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from PIL import Image

from data_tools.chunks import Chunk, ChunkCache
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
_APART = 4
"""So many windows lie between two uses of an echoed sample."""


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
    batches in turn are sorted by their width into as many batches, which come in an order of their own. Each sample is
    in `echo` windows, some windows apart; the first windows of an epoch echo themselves. What workers make is kept in
    the folder `cache`, for a later epoch or another process.
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
        echo: int = 1,
        cache: str | None = None,
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
        if echo < 1 or window % echo:
            raise UserError(f"echo is {echo}; it must divide the window of {window} batches (train.window)")
        if batch_size * window // echo > len(reader) and echo > 1:
            raise UserError(f"the data set has {len(reader)} samples, too few to echo; set echo to 1")
        self.seed, self.shuffle, self.accept, self.window, self.echo = seed, shuffle, accept, window, echo
        self.rank, self.ranks, self.drop_last, self.max_corrupt = rank, ranks, drop_last, max_corrupt
        self.skipped: Counter[str] = Counter()
        self._named: set[str] = set()
        task = _Load(reader, transform, augment, seed)
        self._pool = Pool(_Cached(task, ChunkCache(cache, task)) if cache else task, workers, ahead=2 * window)

    @property
    def batches_per_epoch(self) -> int:
        """Batches in a whole epoch, the same on every rank."""
        if self.echo > 1:
            return self._loaded // (self.window // self.echo) * self.window
        return self._loaded

    @property
    def _loaded(self) -> int:
        """Batches that an epoch loads."""
        whole, rest = divmod(len(self.reader), self.batch_size)
        return whole + bool(rest and not self.drop_last)

    def batches(self, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from number `start` on: exactly `batches_per_epoch - start` of them.

        Raises UserError where too many samples are corrupt, or not one of an epoch can be used.
        """
        order = self._order(epoch)
        first = start // self.window
        jobs = ((epoch, self._shard(order, number)) for number in self._numbers(first))
        tally = _Tally(self.max_corrupt, min(_JUDGED, len(self.reader) // self.ranks))
        for chunk in islice(self._windows(self._pool.run(jobs), epoch, first), start - first * self.window, None):
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

    def _groups(self, number: int, first: int) -> tuple[list[int], list[int]]:
        """The groups of samples that window `number` holds, and those it must load in a pass that began at `first`."""
        held = [number - back if number >= back else number for back in range(0, self.echo * _APART, _APART)]
        resumed = number - _APART < first
        return held, [group for group in dict.fromkeys(held) if group == number or (resumed and group < first)]

    def _ahead(self, first: int) -> range:
        """The windows of an epoch from number `first` on."""
        return range(first, -(-self.batches_per_epoch // self.window))

    def _numbers(self, first: int) -> Iterator[int]:
        """The batches that a pass from window `first` on loads, in order."""
        size = self.window // self.echo
        for number in self._ahead(first):
            for group in self._groups(number, first)[1]:
                yield from range(group * size, min((group + 1) * size, self._loaded))

    def _windows(self, chunks: Iterator[Chunk], epoch: int, first: int) -> Iterator[Chunk]:
        """The chunks of each window from number `first` on, their samples sorted by width."""
        if self.window == 1:
            yield from chunks
            return
        kept: dict[int, list[Chunk]] = {}
        for number in self._ahead(first):
            held, new = self._groups(number, first)
            for group in new:
                kept[group] = list(islice(chunks, self.window // self.echo))
            window = [chunk for group in held for chunk in kept[group]]
            kept = {
                group: [replace(chunk, skipped=[]) for chunk in own]
                for group, own in kept.items()
                if group > number - (self.echo - 1) * _APART
            }
            rng = np.random.default_rng((self.seed, epoch, number))
            sorted_ = _by_width(window)
            yield from (sorted_[place] for place in rng.permutation(len(window)))

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


@dataclass(frozen=True)
class _Cached:
    """The same task, its chunks kept."""

    task: _Load
    cache: ChunkCache

    def __call__(self, epoch: int, positions: np.ndarray) -> Chunk:
        return self.cache.get(lambda: self.task(epoch, positions), b"%d" % epoch, positions.tobytes())


def _assemble(chunk: Chunk, kept: list[int], transform: Transform) -> np.ndarray:
    """The kept images of a chunk as float32 (N, C, H, widest)."""
    shape = (transform.channels, transform.height)
    widths = chunk.widths[kept]
    width = int(widths.max()) if len(kept) else transform.min_width
    if len(kept) == len(chunk.widths) and (widths == width).all():
        return normalise(chunk.pixels).reshape(len(kept), *shape, width)
    padded = np.zeros((len(kept), *shape, width), dtype=np.uint8)
    pictures = _pictures(chunk)
    for row, position in enumerate(kept):
        own = int(chunk.widths[position])
        padded[row, :, :, :own] = pictures[position].reshape(*shape, own)
    images = normalise(padded)
    for row, own in enumerate(widths.tolist()):
        images[row, :, :, own:] = 0
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
