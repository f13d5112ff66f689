"""Convolutions of maps (N, C, H, W)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from crnn_jt.layers.base import NOTHING, Kept, Layer, at_least, expect, he_normal


def window_out(size, kernel: int, stride: int, padding: int):
    """How many windows fit along one axis; `size` an int or an integer array."""
    return (size + 2 * padding - kernel) // stride + 1


def windows_out(window: tuple[int, ...], height, width) -> tuple:
    """(height, width) after windows of a kernel, stride and padding, each (down, along)."""
    return tuple(window_out(size, *window[axis::2]) for axis, size in enumerate((height, width)))


@dataclass(frozen=True)
class Conv(Layer):
    """2-d convolution; keys `weight` (out, in / groups, kh, kw) and, with `bias`, `bias` (out,).

    `groups` equal to the channels is a depthwise convolution. The values under a kernel lie `dilation` apart (Yu &
    Koltun, "Multi-scale context aggregation by dilated convolutions", 2016). The padding is less than what a kernel
    spans, so that every window reaches into the picture.
    """

    in_channels: int
    out_channels: int
    kernel: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (1, 1)
    bias: bool = True
    groups: int = 1
    dilation: tuple[int, int] = (1, 1)

    products: ClassVar[Mapping[str, int]] = {"weight": 0}

    def __post_init__(self):
        at_least(1, in_channels=self.in_channels, out_channels=self.out_channels, groups=self.groups)
        at_least(1, kernel=self.kernel, stride=self.stride, dilation=self.dilation)
        at_least(0, padding=self.padding)
        if any(pad >= size for pad, size in zip(self.padding, self.span)):
            raise ValueError(f"padding {self.padding}: it takes less than the kernel spans, {self.span}")
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ValueError(f"groups {self.groups}: not a divisor of {self.in_channels} and {self.out_channels}")

    @property
    def span(self) -> tuple[int, int]:
        """Rows and columns from the first value under a kernel to the last."""
        down, along = ((size - 1) * apart + 1 for size, apart in zip(self.kernel, self.dilation))
        return down, along

    @property
    def window(self) -> tuple[int, ...]:
        """What a kernel spans, stride and padding, each (down, along)."""
        return (*self.span, *self.stride, *self.padding)

    def arrays(self) -> dict[str, tuple[int, ...]]:
        weight = {"weight": (self.out_channels, self.in_channels // self.groups, *self.kernel)}
        return weight | ({"bias": (self.out_channels,)} if self.bias else {})

    def fresh(self, name: str, rng: np.random.Generator) -> np.ndarray:
        if name != "weight":
            return super().fresh(name, rng)
        shape = self.arrays()[name]
        return he_normal(rng, shape, np.prod(shape[1:]))

    def size(self, height, width) -> tuple:
        return windows_out(self.window, height, width)

    def channels(self, before: int | None) -> int:
        expect("channels", self.in_channels, before)
        return self.out_channels

    def cost(self, height: int, width: int, kept: Kept = NOTHING) -> int:
        rows, columns = self.size(height, width)
        return rows * columns * int(np.prod(self.arrays()["weight"]))


@dataclass(frozen=True)
class ConvTranspose(Layer):
    """Transposed 2-d convolution; keys `weight` (in, out, kh, kw) and, with `bias`, `bias` (out,).

    Each value is spread over a window of the kernel's size, windows start `stride` apart, `padding` is cut off all
    round: H becomes (H - 1)·stride + kernel - 2·padding.
    """

    in_channels: int
    out_channels: int
    kernel: tuple[int, int] = (2, 2)
    stride: tuple[int, int] = (2, 2)
    padding: tuple[int, int] = (0, 0)
    bias: bool = True

    products: ClassVar[Mapping[str, int]] = {"weight": 1}

    def __post_init__(self):
        at_least(1, in_channels=self.in_channels, out_channels=self.out_channels, kernel=self.kernel)
        at_least(1, stride=self.stride)
        at_least(0, padding=self.padding)

    def arrays(self) -> dict[str, tuple[int, ...]]:
        weight = {"weight": (self.in_channels, self.out_channels, *self.kernel)}
        return weight | ({"bias": (self.out_channels,)} if self.bias else {})

    def fresh(self, name: str, rng: np.random.Generator) -> np.ndarray:
        """A value of the output sums over in · kh · kw / (stride · stride) products."""
        if name != "weight":
            return super().fresh(name, rng)
        fan = self.in_channels * np.prod(self.kernel) / np.prod(self.stride)
        return he_normal(rng, self.arrays()[name], max(1, fan))

    def size(self, height, width) -> tuple:
        axes = zip(self.kernel, self.stride, self.padding)
        return tuple(
            (size - 1) * stride + kernel - 2 * pad for size, (kernel, stride, pad) in zip((height, width), axes)
        )

    def channels(self, before: int | None) -> int:
        expect("channels", self.in_channels, before)
        return self.out_channels

    def cost(self, height: int, width: int, kept: Kept = NOTHING) -> int:
        return height * width * int(np.prod(self.arrays()["weight"]))
