"""Batches of pictures of lines, upright or turned, for classifiers of direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from data_tools.loader.collate import Augment, Record
from data_tools.sample import Sample
from data_tools.transforms import ResizeFixed, normalise

TURNS = (0, 180)
"""The classes: by how many degrees a line is turned."""
SHORTEST = 3
"""Shorter words are left out: some of them read the same both ways, and nobody could tell others."""
SQUEEZED = 1.5
"""By how much a picture is squeezed to the model's width at most; of a longer one a part is looked at."""


def cut_part(image: Image.Image, transform: ResizeFixed, place: float) -> Image.Image:
    """What a classifier looks at of a picture: all of it, or a part of one that is too long; `place` from 0, at its
    left end, to 1, at its right end.
    """
    longest = round(SQUEEZED * image.height * transform.width / transform.height)
    if image.width <= longest:
        return image
    left = round(place * (image.width - longest))
    return image.crop((left, 0, left + longest, image.height))


@dataclass(frozen=True)
class Turned:
    """Images float32 (N, C, H, W) and by which class each is turned, int64 (N,): -1 where nobody could tell."""

    images: np.ndarray
    turns: np.ndarray
    keys: list[str]

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class Turn:
    """Collates pictures of lines, each turned by a class drawn for its sample; of long ones, any part. Records:
    `pixels`, `turn`, `key`.
    """

    transform: ResizeFixed
    augment: Augment | None = None

    draws = True

    def record(self, sample: Sample, rng: np.random.Generator) -> dict[str, np.ndarray | str]:
        turn, image = int(rng.integers(len(TURNS))), sample.image
        image = image if self.augment is None else self.augment(image, rng)
        if TURNS[turn]:
            image = image.transpose(Image.Transpose.ROTATE_180)
        told = sum(character.isalnum() for character in sample.text) >= SHORTEST
        pixels = self.transform.pixels(cut_part(image, self.transform, rng.random()))
        return {"pixels": pixels, "turn": np.array(turn if told else -1, np.int32), "key": sample.key}

    def extent(self, record: Record) -> int:
        """The same for all."""
        return 0

    def batch(self, records: Sequence[Record]) -> Turned:
        size = self.transform.channels, self.transform.height, self.transform.width
        pixels = np.array([record["pixels"] for record in records], np.uint8).reshape(-1, *size)
        turns = np.array([record["turn"] for record in records], np.int64)
        return Turned(normalise(pixels), turns, [record["key"] for record in records])
