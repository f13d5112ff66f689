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


CHANNELS = (32, 64, 128, 128, 192, 256)
LAST = 256


@EXTRACTORS.register("light")
class Light(Extractor):
    """32x100 becomes 256x1x25; `height` is the image's. The first `depth` of its convolutions, and a tall one of `last`
    channels (0: 256); `width` is the share of all channels. Raises ValueError for other depths than 4 to 6.
    """

    tiny = {"width": 0.125}

    def __init__(
        self, in_channels: int = 1, height: int = 32, width: float = 1.0, depth: int = len(CHANNELS), last: int = 0
    ):
        if not 4 <= depth <= len(CHANNELS):
            raise ValueError(f"depth {depth}: it takes 4 to {len(CHANNELS)}")
        channels = scale_channels(width, *CHANNELS[:depth], last or LAST)
        super().__init__(compact(in_channels, height, channels, {4}), in_channels)
