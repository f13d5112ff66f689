"""The residual network of fifty layers, for photographs (He et al., "Deep residual learning for image recognition",
CVPR 2016, table 1)."""

from __future__ import annotations

from crnn_jt.blocks import conv_unit, scale_channels
from crnn_jt.extractors.base import Extractor
from crnn_jt.layers import Activation, MaxPool, Plan, Residual
from crnn_jt.registry import EXTRACTORS

_EXPANSION = 4


def bottleneck(in_channels: int, inner: int, stride: int) -> Plan:
    """1x1, 3x3 with the stride (as torchvision has it), 1x1 to four times the channels; ReLU after the sum."""
    out, point, steps = inner * _EXPANSION, {"kernel": (1, 1), "padding": (0, 0)}, (stride, stride)
    body = (
        *conv_unit(in_channels, inner, **point),
        *conv_unit(inner, inner, stride=steps),
        *conv_unit(inner, out, **point, activation=""),
    )
    same = in_channels == out and stride == 1
    shortcut = () if same else conv_unit(in_channels, out, stride=steps, **point, activation="")
    return Residual(body, shortcut), Activation("relu")


@EXTRACTORS.register("resnet50")
class ResNet50(Extractor):
    """Maps at a 4th, 8th, 16th and 32nd of the photograph, of 256, 512, 1024 and 2048 channels, all times `width`;
    `units` residual units at each size.
    """

    tiny = {"width": 0.0625, "units": [1, 1, 1, 1]}

    def __init__(self, in_channels: int = 3, width: float = 1.0, units: tuple[int, ...] = (3, 4, 6, 3)):
        if len(units) != 4 or min(units) < 1:
            raise ValueError(f"units {list(units)}: it takes four numbers of 1 or more")
        first, *inner = scale_channels(width, 64, 64, 128, 256, 512)
        plan = (*conv_unit(in_channels, first, (7, 7), (2, 2), (3, 3)), MaxPool((3, 3), (2, 2), (1, 1)))
        before, taps = first, []
        for level, (channels, count) in enumerate(zip(inner, units)):
            for unit in range(count):
                plan += bottleneck(before, channels, 2 if level and not unit else 1)
                before = channels * _EXPANSION
            taps.append(len(plan) - 1)
        super().__init__(plan, in_channels)
        self.taps = tuple(taps)
