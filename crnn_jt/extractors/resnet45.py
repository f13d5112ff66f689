"""ABINet's residual extractor: every place is a step (Fang et al., "Read Like Humans", CVPR 2021, section 3.1)."""

from __future__ import annotations

from crnn_jt.blocks import conv_unit, scale_channels
from crnn_jt.extractors.base import Extractor
from crnn_jt.layers import Activation, BatchNorm, Conv, Plan, Residual
from crnn_jt.registry import EXTRACTORS
from crnn_jt.sequences import GRID

CHANNELS, UNITS, STRIDES = (32, 64, 128, 256, 512), (3, 4, 6, 6, 3), (2, 1, 2, 1, 1)


def _unit(in_channels: int, out_channels: int, stride: int) -> Plan:
    """1x1, then 3x3 with the stride; the shortcut is projected where the shape changes; ReLU after the sum."""
    body = (
        *conv_unit(in_channels, out_channels, (1, 1), padding=(0, 0)),
        *conv_unit(out_channels, out_channels, stride=(stride, stride), activation=""),
    )
    same = stride == 1 and in_channels == out_channels
    shortcut = Conv(in_channels, out_channels, (1, 1), (stride, stride), (0, 0), bias=False), BatchNorm(out_channels)
    return Residual(body, () if same else shortcut), Activation("relu")


def plan_resnet45(in_channels: int, width: float) -> Plan:
    """A convolution and 22 units; the map has a quarter of the image's height and width."""
    before, *counts = scale_channels(width, CHANNELS[0], *CHANNELS)
    plan = conv_unit(in_channels, before)
    for channels, units, stride in zip(counts, UNITS, STRIDES):
        for position in range(units):
            plan += _unit(before, channels, stride if position == 0 else 1)
            before = channels
    return plan


@EXTRACTORS.register("resnet45")
class ResNet45(Extractor):
    """32x128 becomes 512x8x32, 256 steps row by row. Images of one width only. `width` scales all channels."""

    sequence = GRID
    tiny = {"width": 0.0625}

    def __init__(self, in_channels: int = 1, width: float = 1.0):
        super().__init__(plan_resnet45(in_channels, width), in_channels)
