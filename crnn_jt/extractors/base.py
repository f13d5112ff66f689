"""What extractors share: a plan, and the shapes that follow from it."""

from __future__ import annotations

import numpy as np

from crnn_jt import layers
from crnn_jt.backend import nn
from crnn_jt.layers import Activation, Conv, Norm, Plan
from crnn_jt.stack import Stack

WIDEST = 8
"""How far `width` may scale the channels of an extractor."""


class Extractor(nn.Module):
    """(N, C, H, W) -> (N, C', H', W').

    `sequence_axis` says what becomes a step of the sequence: "columns" (each column of the feature map, the usual
    way) or "channels" (each channel sees the whole image).
    """

    sequence_axis = "columns"

    def __init__(self, plan: Plan, in_channels: int):
        super().__init__()
        self.plan = plan
        self.out_channels = layers.out_channels(plan, in_channels)
        self.stack = Stack(plan)

    def layers(self) -> Plan:
        """The layers in the order of computation, for `freeze` and `export`."""
        return self.plan

    def out_shape(self, height, width) -> tuple:
        """(H', W') for an image of (H, W); the width may be an integer array."""
        return layers.out_shape(self.plan, height, width)

    def execute(self, images, widths: np.ndarray | None = None):
        """`widths` (N,): the valid width of each image where they differ, else None."""
        return self.stack(images, widths)


def conv_unit(
    in_channels: int,
    out_channels: int,
    kernel: tuple[int, int] = (3, 3),
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (1, 1),
    norm: bool = True,
) -> Plan:
    """Convolution, batch normalisation (unless `norm` is False), ReLU."""
    convolution = Conv(in_channels, out_channels, kernel, stride, padding, bias=not norm)
    return (convolution, *((Norm(out_channels),) if norm else ()), Activation("relu"))


def scaled(width: float, *channels: int) -> tuple[int, ...]:
    """Channels times `width`, each at least 1. Raises ValueError for a width that no one can mean."""
    if not 0 < width <= WIDEST:
        raise ValueError(f"width {width}: it takes more than 0, at most {WIDEST}")
    return tuple(max(1, round(count * width)) for count in channels)
