"""Residual networks of basic units in their variant D (He et al., "Bag of Tricks for Image Classification with
Convolutional Neural Networks", CVPR 2019, section 4.2), the large extractors of PP-OCR's server models."""

from __future__ import annotations

from crnn_jt.blocks import conv_unit, scale_channels
from crnn_jt.extractors.base import Extractor
from crnn_jt.layers import Activation, AvgPool, MaxPool, Plan, Residual
from crnn_jt.registry import EXTRACTORS

_CHANNELS = (64, 128, 256, 512)


_UNITS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}


@EXTRACTORS.register("resnet_vd")
class ResNetVD(Extractor):
    """Three 3x3 convolutions, a pooling, and four stages of two convolutions a unit; `depth` 18 or 34, `width` scales
    all channels.

    For photographs it gives maps at a 4th, 8th, 16th and 32nd. With `lines`, the first convolution keeps the size, the
    stages halve the height alone and a pooling of 2x2 ends it, as PaddleOCR's public code has it: 3x32x320 becomes
    1x80 steps.
    """

    tiny = {"width": 0.0625, "lines": True}

    def __init__(self, in_channels: int = 3, depth: int = 18, width: float = 1.0, lines: bool = False):
        if depth not in _UNITS:
            raise ValueError(f"depth {depth}: it takes {' or '.join(map(str, _UNITS))}")
        half, *channels = scale_channels(width, 32, *_CHANNELS)
        before = channels[0]
        plan = list(conv_unit(in_channels, half, stride=(1, 1) if lines else (2, 2)))
        plan += (*conv_unit(half, half), *conv_unit(half, before), MaxPool((3, 3), (2, 2), (1, 1)))
        taps: list[int] = []
        for after, count in zip(channels, _UNITS[depth]):
            stride = (1, 1) if not taps else (2, 1) if lines else (2, 2)
            plan += _unit(before, after, stride)
            plan += _unit(after, after) * (count - 1)
            before = after
            taps.append(len(plan) - 1)
        if lines:
            plan.append(MaxPool())
        super().__init__(tuple(plan), in_channels)
        self.taps = () if lines else tuple(taps)


def _unit(before: int, after: int, stride: tuple[int, int] = (1, 1)) -> Plan:
    """3x3 with the stride, then 3x3; where the shape changes, the shortcut takes means before its 1x1; ReLU after the
    sum.
    """
    body = (*conv_unit(before, after, stride=stride), *conv_unit(after, after, activation=""))
    means = () if stride == (1, 1) else (AvgPool(stride),)
    shortcut = (*means, *conv_unit(before, after, (1, 1), padding=(0, 0), activation=""))
    return Residual(body, () if before == after and not means else shortcut), Activation("relu")
