"""Resize policies: from a picture of any size to the pixels that a model reads.

A policy has two halves. `pixels` makes compact uint8 arrays, which is what loader processes send; `normalise` turns
them into float32 in [-1, 1] (x / 127.5 - 1, as the CRNN report does), once for a batch. Calling a policy does both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image

from data_tools.checks import check_at_least, check_one_of
from data_tools.errors import UserError
from data_tools.images import to_channels


class Transform(Protocol):
    """What a loader needs of a resize policy; `min_width` is the width of a batch without samples."""

    height: int
    channels: int

    @property
    def min_width(self) -> int: ...

    def pixels(self, image: Image.Image) -> np.ndarray:
        """The picture as uint8 (C, H, W), W its own."""
        ...


def normalise(pixels: np.ndarray) -> np.ndarray:
    """uint8 of any shape to float32 in [-1, 1]."""
    scaled = pixels.astype(np.float32)
    scaled *= np.float32(1 / 127.5)
    scaled -= np.float32(1)
    return scaled


def picture_of(pixels: np.ndarray) -> Image.Image:
    """The picture, grey or RGB, that `normalise` made float32 (C, H, W) of."""
    levels = np.round((pixels + 1) * 127.5).clip(0, 255).astype(np.uint8)
    return Image.fromarray(levels[0] if len(levels) == 1 else levels.transpose(1, 2, 0))


@dataclass(frozen=True)
class ResizeFixed:
    """Every picture to one size, its proportions not kept: the report's policy (32 x 100, grey, bilinear)."""

    height: int
    width: int
    channels: int = 1

    def __post_init__(self):
        _check(self.channels, height=self.height, width=self.width)

    @property
    def min_width(self) -> int:
        """The width of every picture."""
        return self.width

    def pixels(self, image: Image.Image) -> np.ndarray:
        """uint8 (C, height, width)."""
        return _resize(image, self.height, self.width, self.channels)

    def __call__(self, image: Image.Image) -> np.ndarray:
        """float32 (C, height, width) in [-1, 1]."""
        return normalise(self.pixels(image))


@dataclass(frozen=True)
class ResizeProportional:
    """One height, the width in proportion (CRNN paper, 3.4), rounded up to a multiple by resizing, then clipped.

    Widths are whole multiples, so that few different shapes arise; a loader pads narrower pictures of a batch.
    """

    height: int
    min_width: int = 100
    max_width: int = 400
    multiple: int = 4
    channels: int = 1

    def __post_init__(self):
        _check(self.channels, height=self.height, min_width=self.min_width, multiple=self.multiple)
        if self.max_width < self.min_width:
            raise UserError(f"max_width {self.max_width} is below min_width {self.min_width}")
        for name in ("min_width", "max_width"):
            if getattr(self, name) % self.multiple:
                raise UserError(f"{name} {getattr(self, name)} is not a multiple of {self.multiple} (multiple)")

    def width_of(self, width: int, height: int) -> int:
        """The width that a picture of `width` x `height` gets."""
        kept = self.height * width / height
        rounded = math.ceil(kept / self.multiple - 1e-9) * self.multiple
        return min(max(rounded, self.min_width), self.max_width)

    def pixels(self, image: Image.Image) -> np.ndarray:
        """uint8 (C, height, W)."""
        return _resize(image, self.height, self.width_of(image.width, image.height), self.channels)

    def __call__(self, image: Image.Image) -> np.ndarray:
        """float32 (C, height, W) in [-1, 1]."""
        return normalise(self.pixels(image))


@dataclass(frozen=True)
class Reduced:
    """A resize policy behind a lower resolution: its pictures, of the same size, as if they had been `factor` times as
    high and wide.
    """

    transform: Transform
    factor: float

    @property
    def height(self) -> int:
        """That of the policy."""
        return self.transform.height

    @property
    def channels(self) -> int:
        """That of the policy."""
        return self.transform.channels

    @property
    def min_width(self) -> int:
        """That of the policy."""
        return self.transform.min_width

    def pixels(self, image: Image.Image) -> np.ndarray:
        """uint8 (C, H, W), W its own."""
        return np.stack([self._blur(plane) for plane in self.transform.pixels(image)])

    def _blur(self, plane: np.ndarray) -> np.ndarray:
        picture = Image.fromarray(plane)
        small = tuple(max(1, round(side * self.factor)) for side in picture.size)
        return np.asarray(picture.resize(small, Image.Resampling.BOX).resize(picture.size, Image.Resampling.BILINEAR))


def _check(channels: int, **sizes: int) -> None:
    check_one_of("channels", channels, (1, 3))  # grey or colour
    for name, size in sizes.items():
        check_at_least(name, size, 1)


def _resize(image: Image.Image, height: int, width: int, channels: int) -> np.ndarray:
    image = to_channels(image, channels)
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    pixels = np.asarray(image)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)  # (C, H, W)
