"""Layers that change the size of a map (N, C, H, W) without weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crnn_jt.layers.base import Layer, at_least
from crnn_jt.layers.conv import windows_out


@dataclass(frozen=True)
class MaxPool(Layer):
    """2-d max pooling; padded places never win."""

    kernel: tuple[int, int] = (2, 2)
    stride: tuple[int, int] = (2, 2)
    padding: tuple[int, int] = (0, 0)

    def __post_init__(self):
        at_least(1, kernel=self.kernel, stride=self.stride)
        at_least(0, padding=self.padding)

    @property
    def window(self) -> tuple[int, ...]:
        """Kernel, stride and padding, each (down, along)."""
        return (*self.kernel, *self.stride, *self.padding)

    def size(self, height, width) -> tuple:
        return windows_out(self.window, height, width)


@dataclass(frozen=True)
class AvgPool(Layer):
    """The mean of each window of `kernel` rows and columns, over those of its places that lie in the picture.

    Windows lie `stride` apart; None: they touch, and what fills none is left out.
    """

    kernel: tuple[int, int] = (2, 2)
    stride: tuple[int, int] | None = None
    padding: tuple[int, int] = (0, 0)

    def __post_init__(self):
        at_least(1, kernel=self.kernel, stride=self.apart)
        at_least(0, padding=self.padding)
        if any(pad >= size for pad, size in zip(self.padding, self.kernel)):
            raise ValueError(f"padding {self.padding}: it takes less than the kernel, {self.kernel}")

    @property
    def apart(self) -> tuple[int, int]:
        """How far the windows lie apart."""
        return self.stride or self.kernel

    @property
    def window(self) -> tuple[int, ...]:
        """Kernel, stride and padding, each (down, along)."""
        return (*self.kernel, *self.apart, *self.padding)

    @property
    def touches(self) -> bool:
        """Whether windows neither overlap nor reach beyond the picture."""
        return self.apart == self.kernel and self.padding == (0, 0)

    def size(self, height, width) -> tuple:
        return windows_out(self.window, height, width)


NO_POOL = MaxPool((1, 1), (1, 1))


@dataclass(frozen=True)
class GlobalMean(Layer):
    """The mean of each channel over the picture's own columns: (N, C, H, W) -> (N, C, 1, 1)."""

    def size(self, height, width) -> tuple:
        return 1, np.ones_like(width) if isinstance(width, np.ndarray) else 1


@dataclass(frozen=True)
class Upsample(Layer):
    """Repeats each value `factor` times (down, along): nearest-neighbour enlargement."""

    factor: tuple[int, int] = (2, 2)

    def __post_init__(self):
        at_least(1, factor=self.factor)

    def size(self, height, width) -> tuple:
        return height * self.factor[0], width * self.factor[1]
