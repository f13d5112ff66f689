"""Extractors for pictures of a staff: the Jittor report's, and a compact one for CPUs."""

from __future__ import annotations

from crnn_jt.blocks import conv_unit, scale_channels
from crnn_jt.extractors.base import Extractor
from crnn_jt.extractors.light import compact
from crnn_jt.layers import MaxPool
from crnn_jt.registry import EXTRACTORS

_POOLS = {8: ((4, 2), (3, 2), (2, 2), (2, 1)), 4: ((4, 2), (3, 2), (2, 1), (2, 1))}


@EXTRACTORS.register("staff")
class Staff(Extractor):
    """Four convolutions, each with batch normalisation, ReLU and pooling (the Jittor report, table 3).

    128x800 becomes 256x2x100. `stride` is how many columns of the picture make a step: 8 as in the report, or 4 where
    symbols stand close.
    """

    tiny = {"stride": 4}

    def __init__(self, in_channels: int = 1, stride: int = 8):
        if stride not in _POOLS:
            raise ValueError(f"stride {stride}: it takes {' or '.join(map(str, _POOLS))}")
        kernels = ((5, 5), (3, 3), (3, 3), (3, 3))
        channels = (in_channels, 32, 64, 128, 256)
        plan = []
        for k, kernel in enumerate(kernels):
            padding = (kernel[0] // 2, kernel[1] // 2)
            plan += conv_unit(channels[k], channels[k + 1], kernel, padding=padding)
            plan.append(MaxPool(_POOLS[stride][k], _POOLS[stride][k]))
        super().__init__(tuple(plan), in_channels)


@EXTRACTORS.register("staff_light")
class StaffLight(Extractor):
    """A compact extractor for CPUs: 96xW becomes 192x1x(W/4). `height` is the image's.

    The height shrinks in steps of two before the tall convolution, so that a note's place on the staff survives.
    """

    tiny = {"width": 0.125}

    def __init__(self, in_channels: int = 1, height: int = 96, width: float = 1.0):
        c1, c2, c3, c4, c5 = scale_channels(width, 24, 32, 64, 96, 192)
        super().__init__(compact(in_channels, height, (c1, c2, c3, c3, c4, c4, c5), {4, 5}), in_channels)
