"""Extractors for spotters: of the features of one region of text, and of a whole photograph in small."""

from __future__ import annotations

from crnn_jt.blocks import conv_unit, scale_channels
from crnn_jt.extractors.base import Extractor
from crnn_jt.layers import Activation, MaxPool, Plan, Residual
from crnn_jt.registry import EXTRACTORS

_LEAST = 4
"""Rows of a region at least; each pooling halves them."""


@EXTRACTORS.register("region")
class Region(Extractor):
    """Regions (N, C, height, W) of a feature map -> (N, channels, 1, W): convolutions, the rows halved twice, then what
    is left of them at once. Columns keep their number, each a step of the sequence ("light CRNN" of Chen et al., ECCV
    2022).
    """

    tiny = {"channels": 8}

    def __init__(self, in_channels: int, height: int, channels: int = 128):
        if height < _LEAST or channels < 1:
            raise ValueError(f"takes regions of {_LEAST} rows or more, and 1 channel or more")
        half, halved = ((2, 1), (2, 1)), height // 4
        plan = (
            *conv_unit(in_channels, channels),
            MaxPool(*half),
            *conv_unit(channels, channels),
            MaxPool(*half),
            *conv_unit(channels, channels, (halved, 1), padding=(0, 0)),
        )
        super().__init__(plan, in_channels)


def strided_unit(in_channels: int, out_channels: int) -> Plan:
    """Two 3x3 convolutions, the first halving, and a 1x1 shortcut; ReLU after the sum (He et al., CVPR 2016)."""
    body = (*conv_unit(in_channels, out_channels, stride=(2, 2)), *conv_unit(out_channels, out_channels, activation=""))
    shortcut = conv_unit(in_channels, out_channels, (1, 1), (2, 2), (0, 0), activation="")
    return Residual(body, shortcut), Activation("relu")


@EXTRACTORS.register("strided")
class Strided(Extractor):
    """A 7x7 convolution and four residual units, each halving: 256 channels at a 32nd, all times `width` (the
    resolution selector of Chen et al., ECCV 2022).
    """

    tiny = {"width": 0.125}

    def __init__(self, in_channels: int = 3, width: float = 1.0):
        first, *channels = scale_channels(width, 32, 32, 64, 128, 256)
        plan, before = conv_unit(in_channels, first, (7, 7), (2, 2), (3, 3)), first
        for count in channels:
            plan += strided_unit(before, count)
            before = count
        super().__init__(plan, in_channels)
