"""The CRNN paper's VGG-like extractor, and the report's global variant of it."""

from __future__ import annotations

from crnn_jt.blocks import conv_unit, scale_channels
from crnn_jt.extractors.base import Extractor
from crnn_jt.layers import MaxPool
from crnn_jt.registry import EXTRACTORS
from crnn_jt.sequences import CHANNELS

WIDER_POOL = MaxPool((2, 2), (2, 1), (0, 1))  # halves the height, keeps the steps


@EXTRACTORS.register("vgg")
class VGG(Extractor):
    """Seven convolutions; 32x100 becomes 512x1x26 (Shi, Bai, Yao, "An End-to-End Trainable Neural Network for
    Image-based Sequence Recognition", TPAMI 2017, table 1). `width` scales all channels.
    """

    tiny = {"width": 0.0625}

    def __init__(self, in_channels: int = 1, width: float = 1.0):
        c1, c2, c3, c4 = scale_channels(width, 64, 128, 256, 512)
        plan = (
            *conv_unit(in_channels, c1, norm=False),
            MaxPool(),
            *conv_unit(c1, c2, norm=False),
            MaxPool(),
            *conv_unit(c2, c3),
            *conv_unit(c3, c3, norm=False),
            WIDER_POOL,
            *conv_unit(c3, c4),
            *conv_unit(c4, c4, norm=False),
            WIDER_POOL,
            *conv_unit(c4, c4, (2, 2), padding=(0, 0)),
        )
        super().__init__(plan, in_channels)


@EXTRACTORS.register("vgg_global")
class GlobalVGG(VGG):
    """The same layers, but each channel of the feature map, not each column, is a vector of the sequence (the Jittor
    report's "global" CNN): the vectors lose their local field of view, which suits CTC badly.
    """

    sequence = CHANNELS
