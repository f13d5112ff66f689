"""A compact extractor for photographs on CPUs: plain convolutions, whose arithmetic their processors are best at."""

from __future__ import annotations

from crnn_jt.blocks import conv_unit, scale_channels
from crnn_jt.extractors.base import Extractor
from crnn_jt.layers import MaxPool
from crnn_jt.registry import EXTRACTORS

_CHANNELS = (16, 32, 64, 96, 128)
_DEPTH = 2
"""Convolutions at each size."""


@EXTRACTORS.register("dense")
class Dense(Extractor):
    """Maps at a 4th, 8th, 16th and 32nd of the photograph, of 32, 64, 96 and 128 channels, all times `width`."""

    tiny = {"width": 0.125}

    def __init__(self, in_channels: int = 3, width: float = 1.0):
        first, *channels = scale_channels(width, *_CHANNELS)
        plan, taps = list(conv_unit(in_channels, first, (5, 5), (2, 2), (2, 2))), []
        before = first
        for count in channels:
            plan.append(MaxPool())
            for _ in range(_DEPTH):
                plan += conv_unit(before, count)
                before = count
            taps.append(len(plan) - 1)
        super().__init__(tuple(plan), in_channels)
        self.taps = tuple(taps)
