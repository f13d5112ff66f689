"""A compact extractor for CPUs: most of the work at a quarter of the input's width, no depthwise convolutions
(they are bound by memory, not arithmetic, on a CPU)."""

from __future__ import annotations

from collections.abc import Collection

from crnn_jt.blocks import conv_unit, scale_channels
from crnn_jt.extractors.base import Extractor
from crnn_jt.layers import MaxPool, Plan
from crnn_jt.registry import EXTRACTORS


def compact(in_channels: int, height: int, channels: tuple[int, ...], halved: Collection[int]) -> Plan:
    """A 5x5 convolution of stride 2, 3x3 ones, and a tall one that reads at once all the rows that are left.

    `channels` of each convolution, in order. Both sides are halved after the second, the height after those in
    `halved` too. Raises ValueError where nothing is left of `height`.
    """
    least = 4 * 2 ** len(halved)
    if height < least:
        raise ValueError(f"height {height} is too small; it takes {least} or more")
    first, *inner, last = channels
    plan, before = list(conv_unit(in_channels, first, (5, 5), (2, 2), (2, 2))), first
    for number, count in enumerate(inner, 2):
        plan += conv_unit(before, count)
        if number == 2:
            plan.append(MaxPool())
        elif number in halved:
            plan.append(MaxPool((2, 1), (2, 1)))
        before = count
    return (*plan, *conv_unit(before, last, (height // least, 1), padding=(0, 0)))


@EXTRACTORS.register("light")
class Light(Extractor):
    """32x100 becomes 256x1x25; `height` is the image's."""

    tiny = {"width": 0.125}

    def __init__(self, in_channels: int = 1, height: int = 32, width: float = 1.0):
        c1, c2, c3, c4, c5 = scale_channels(width, 32, 64, 128, 192, 256)
        super().__init__(compact(in_channels, height, (c1, c2, c3, c3, c4, c5, c5), {4}), in_channels)
