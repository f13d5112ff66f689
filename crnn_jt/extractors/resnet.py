"""The report's residual extractors: pre-activation units between the CRNN's pooling steps."""

from __future__ import annotations

from crnn_jt.blocks import conv_unit, residual_unit, scale_channels
from crnn_jt.extractors.base import Extractor
from crnn_jt.extractors.vgg import WIDER_POOL
from crnn_jt.layers import Activation, BatchNorm, MaxPool, Plan
from crnn_jt.registry import EXTRACTORS


def _stage(in_channels: int, out_channels: int, units: int) -> Plan:
    first = residual_unit(in_channels, out_channels)
    return (first, *(residual_unit(out_channels, out_channels) for _ in range(units - 1)))


def _plan(in_channels: int, width: float, units: tuple[int, int, int, int]) -> Plan:
    c1, c2, c3, c4 = scale_channels(width, 64, 128, 256, 512)
    return (
        *_stage(in_channels, c1, units[0]),
        MaxPool(),
        *_stage(c1, c2, units[1]),
        MaxPool(),
        *_stage(c2, c3, units[2]),
        WIDER_POOL,
        *_stage(c3, c4, units[3]),
        BatchNorm(c4),
        Activation("relu"),
        WIDER_POOL,
        *conv_unit(c4, c4, (2, 2), padding=(0, 0)),
    )


@EXTRACTORS.register("resnet15")
class ResNet15(Extractor):
    """Fourteen convolutions in pre-activation units plus the last 2x2 one; 32x100 becomes 512x1x26. `width` scales
    all channels.
    """

    tiny = {"width": 0.0625}

    def __init__(self, in_channels: int = 1, width: float = 1.0):
        super().__init__(_plan(in_channels, width, (1, 2, 2, 2)), in_channels)


@EXTRACTORS.register("resnet23")
class ResNet23(Extractor):
    """Twenty-two convolutions in pre-activation units plus the last 2x2 one. `width` scales all channels."""

    tiny = {"width": 0.0625}

    def __init__(self, in_channels: int = 1, width: float = 1.0):
        super().__init__(_plan(in_channels, width, (2, 3, 3, 3)), in_channels)
