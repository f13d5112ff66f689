"""A compact extractor for CPUs: most of the work at a quarter of the input's width, no depthwise convolutions
(they are bound by memory, not arithmetic, on a CPU)."""

from __future__ import annotations

from crnn_jt.extractors.base import Extractor, conv_unit, scaled
from crnn_jt.layers import MaxPool
from crnn_jt.registry import EXTRACTORS


@EXTRACTORS.register("light")
class Light(Extractor):
    """32x100 becomes 256x1x25; `height` is the image's, whose last rows one tall convolution reads at once."""

    def __init__(self, in_channels: int = 1, height: int = 32, width: float = 1.0):
        c1, c2, c3, c4, c5 = scaled(width, 32, 64, 128, 192, 256)
        rows = height // 8
        if rows < 1:
            raise ValueError(f"height {height} is too small; it takes 8 or more")
        plan = (
            *conv_unit(in_channels, c1, (5, 5), (2, 2), (2, 2)),
            *conv_unit(c1, c2),
            MaxPool(),
            *conv_unit(c2, c3),
            *conv_unit(c3, c3),
            MaxPool((2, 1), (2, 1)),
            *conv_unit(c3, c4),
            *conv_unit(c4, c5),
            *conv_unit(c5, c5, (rows, 1), padding=(0, 0)),
        )
        super().__init__(plan, in_channels)
