"""Collation: from a sample to a small record, in a worker; from records to a padded batch, in the parent.

A record is a dict of arrays and strings. It crosses a socket and may lie in a cache, so it holds pixels as uint8; the
batch is what a model reads, float32. Every record has a `key`, its sample's name; one whose label a policy may map or
drop (`Loader.accept`) has a `text`.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from PIL import Image

from data_tools.images import to_channels
from data_tools.sample import Region, Sample
from data_tools.transforms import Transform, normalise

Record = Mapping[str, np.ndarray | str]
Augment = Callable[[Image.Image, np.random.Generator], Image.Image]
AugmentSample = Callable[[Sample, np.random.Generator], Sample]
Targets = Callable[[Sequence[Region], int, int], Mapping[str, np.ndarray]]


class AnyBatch(Protocol):
    """What loader and trainer need of a batch: how many samples of it can be used, maybe 0, and their names."""

    keys: list[str]

    def __len__(self) -> int: ...


class Collate(Protocol):
    """How samples become batches. It is pickled for the workers, and a cache of records is named by its values."""

    @property
    def draws(self) -> bool:
        """Whether `record` draws random numbers; making a generator takes as long as decoding a small picture."""
        ...

    def record(self, sample: Sample, rng: np.random.Generator | None) -> dict[str, np.ndarray | str]:
        """A sample in little space; `rng`, if this collate draws, is its own for each (seed, epoch, sample).

        A field has one type and number of dimensions in all records; sizes may differ. Raises CorruptSample.
        """
        ...

    def extent(self, record: Record) -> int:
        """What length bucketing sorts by, such as a picture's width."""
        ...

    def batch(self, records: Sequence[Record]) -> AnyBatch:
        """The batch of some records, in their order; there may be none."""
        ...


@dataclass(frozen=True)
class Batch:
    """Images float32 (N, C, H, W) in [-1, 1], narrower ones padded at the right with 0; their own widths int32 (N,).

    N is the batch size less what was skipped, and may be 0.
    """

    images: np.ndarray
    widths: np.ndarray
    texts: list[str]
    keys: list[str]

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class TextLines:
    """Pictures of one line of text each: augmented, brought to a model's height, padded to the widest of their batch.

    Records: `pixels` uint8 (C, H, W), `text`, `key`.
    """

    transform: Transform
    augment: Augment | None = None

    @property
    def draws(self) -> bool:
        return self.augment is not None

    def record(self, sample: Sample, rng: np.random.Generator | None) -> dict[str, np.ndarray | str]:
        image = sample.image if self.augment is None else self.augment(sample.image, rng)
        return {"pixels": self.transform.pixels(image), "text": sample.text, "key": sample.key}

    def extent(self, record: Record) -> int:
        """The width."""
        return record["pixels"].shape[2]

    def batch(self, records: Sequence[Record]) -> Batch:
        pixels = [record["pixels"] for record in records]
        widths = np.array([each.shape[2] for each in pixels], dtype=np.int32)
        width = int(widths.max()) if pixels else self.transform.min_width
        images = _pad(pixels, (self.transform.channels, self.transform.height, width))
        return Batch(images, widths, [record["text"] for record in records], [record["key"] for record in records])


@dataclass(frozen=True)
class TextBatch:
    """Texts without pictures."""

    texts: list[str]
    keys: list[str]

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class Texts:
    """Texts alone, for language models; a sample's picture is not looked at and may be None.

    Records: `text`, `key`.
    """

    draws = False

    def record(self, sample: Sample, rng: np.random.Generator | None) -> dict[str, np.ndarray | str]:
        return {"text": sample.text, "key": sample.key}

    def extent(self, record: Record) -> int:
        """The number of characters."""
        return len(record["text"])

    def batch(self, records: Sequence[Record]) -> TextBatch:
        return TextBatch([record["text"] for record in records], [record["key"] for record in records])


@dataclass(frozen=True)
class PhotoBatch:
    """Photographs float32 (N, C, H, W) in [-1, 1], padded below and at the right with 0; N may be 0.

    `sizes` int32 (N, 2): height and width of each without its padding; `scales` float32 (N,): by how much it was
    enlarged, so that a point divided by it lies in the photograph as it was. `regions` are in the batch's pixels.
    `targets` are float32 (N, …), whatever the collate's `targets` makes.
    """

    images: np.ndarray
    sizes: np.ndarray
    scales: np.ndarray
    regions: list[tuple[Region, ...]]
    targets: dict[str, np.ndarray]
    keys: list[str]

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True)
class Photos:
    """Photographs with regions of text, each scaled to fit into `height` x `width`, proportions kept, and padded.

    `augment(sample, rng)` changes picture and regions together, before. `targets(regions, height, width)` makes a
    detector's arrays of one photograph, of the same shapes for all; it runs in the worker, so small types are best.

    Records: `pixels` uint8 (C, h, w), `scale` float32 (), `points` float32 (points of all regions, 2), `counts` int32
    (R,) points of each, `legible` bool (R,), `texts` a JSON list, `targets/NAME`, `key`.
    """

    height: int
    width: int
    channels: int = 3
    augment: AugmentSample | None = None
    targets: Targets | None = None

    @property
    def draws(self) -> bool:
        return self.augment is not None

    def record(self, sample: Sample, rng: np.random.Generator | None) -> dict[str, np.ndarray | str]:
        if self.augment is not None:
            sample = self.augment(sample, rng)
        pixels, scale = self._fit(sample.image)
        regions = [replace(each, polygon=np.float32(each.polygon) * scale) for each in sample.regions]
        targets = self.targets(regions, self.height, self.width) if self.targets is not None else {}
        return {
            "pixels": pixels,
            "scale": scale,
            "points": np.concatenate([np.empty((0, 2), np.float32), *(each.polygon for each in regions)]),
            "counts": np.array([len(each.polygon) for each in regions], np.int32),
            "legible": np.array([each.legible for each in regions], bool),
            "texts": json.dumps([each.text for each in regions]),
            "key": sample.key,
        } | {f"targets/{name}": array for name, array in targets.items()}

    def extent(self, record: Record) -> int:
        """The same for all: every batch has the same size."""
        return 0

    def batch(self, records: Sequence[Record]) -> PhotoBatch:
        pixels = [record["pixels"] for record in records]
        sizes = np.array([each.shape[1:] for each in pixels], np.int32).reshape(-1, 2)
        scales = np.array([record["scale"] for record in records], np.float32)
        names = [name for name in records[0] if name.startswith("targets/")] if records else []
        return PhotoBatch(
            _pad(pixels, (self.channels, self.height, self.width)),
            sizes,
            scales,
            [_regions(record) for record in records],
            {name.partition("/")[2]: np.stack([np.float32(each[name]) for each in records]) for name in names},
            [record["key"] for record in records],
        )

    def _fit(self, image: Image.Image) -> tuple[np.ndarray, np.ndarray]:
        """The picture uint8 (C, h, w), h and w as large as fits; the factor float32 ()."""
        image = to_channels(image, self.channels)
        scale = min(self.height / image.height, self.width / image.width)
        size = (
            min(self.width, max(1, round(image.width * scale))),
            min(self.height, max(1, round(image.height * scale))),
        )
        image = image if image.size == size else image.resize(size, Image.Resampling.BILINEAR)
        pixels = np.asarray(image)
        return pixels[None] if self.channels == 1 else pixels.transpose(2, 0, 1), np.array(scale, np.float32)


def _regions(record: Record) -> tuple[Region, ...]:
    ends = np.cumsum(record["counts"])
    polygons = np.split(record["points"], ends[:-1]) if len(ends) else []
    return tuple(map(Region, polygons, json.loads(record["texts"]), record["legible"].tolist()))


@dataclass(frozen=True)
class ScaledBatch:
    """The same samples as several collates give them."""

    parts: tuple[Any, ...]

    @property
    def keys(self) -> list[str]:
        return self.parts[0].keys

    def __len__(self) -> int:
        return len(self.parts[0])


@dataclass(frozen=True)
class Scales:
    """Each sample by several collates, of other sizes as a rule: what a teacher and its student see of one picture.

    All of them draw the same random numbers, so that augmentation that depends on these alone is the same for all.
    Records: `key`, `text` if there is one, and the other fields of collate number n as `n/NAME`. Bucketing is by the
    first.
    """

    collates: tuple[Collate, ...]

    @property
    def draws(self) -> bool:
        return any(collate.draws for collate in self.collates)

    def record(self, sample: Sample, rng: np.random.Generator | None) -> dict[str, np.ndarray | str]:
        out = {}
        for number, collate in enumerate(self.collates):
            own = collate.record(sample, copy.deepcopy(rng))
            out |= {name if name in _SHARED else f"{number}/{name}": value for name, value in own.items()}
        return out

    def extent(self, record: Record) -> int:
        """That of the first collate."""
        return self.collates[0].extent(_part(record, 0))

    def batch(self, records: Sequence[Record]) -> ScaledBatch:
        parts = ([_part(record, number) for record in records] for number in range(len(self.collates)))
        return ScaledBatch(tuple(collate.batch(own) for collate, own in zip(self.collates, parts)))


_SHARED = ("key", "text")


def _part(record: Record, number: int) -> dict[str, np.ndarray | str]:
    """The record of collate `number`."""
    shared = {name: record[name] for name in _SHARED if name in record}
    prefix = f"{number}/"
    return shared | {name[len(prefix) :]: value for name, value in record.items() if name.startswith(prefix)}


def _pad(pixels: Sequence[np.ndarray], shape: tuple[int, int, int]) -> np.ndarray:
    """Pictures uint8 (C, h, w) as float32 (N, *shape) in [-1, 1]; what they do not reach is 0."""
    if pixels and all(each.shape == shape for each in pixels):
        return normalise(np.concatenate(pixels)).reshape(len(pixels), *shape)  # faster than np.stack
    padded = np.zeros((len(pixels), *shape), dtype=np.uint8)
    for row, own in zip(padded, pixels):
        row[:, : own.shape[1], : own.shape[2]] = own
    images = normalise(padded)
    for row, own in zip(images, pixels):
        row[:, own.shape[1] :] = 0
        row[:, :, own.shape[2] :] = 0
    return images
