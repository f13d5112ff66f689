"""ShuffleNet V2 (Ma et al., "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design", ECCV 2018)."""

from __future__ import annotations

from crnn_jt.blocks import conv_unit
from crnn_jt.extractors.base import Extractor
from crnn_jt.layers import Concat, Keep, MaxPool, Plan, Recall, Shuffle, Slice
from crnn_jt.registry import EXTRACTORS

_STEM = 24
_STAGES = {0.5: (48, 96, 192, 1024), 1.0: (116, 232, 464, 1024), 1.5: (176, 352, 704, 1024), 2.0: (244, 488, 976, 2048)}
"""Channels of the three stages and of the last convolution by width (table 5)."""
_UNITS = (4, 8, 4)


@EXTRACTORS.register("shufflenet_v2")
class ShuffleNetV2(Extractor):
    """Channels are split, half of them pass, and both halves are shuffled (section 3.2); `width` 0.5, 1, 1.5 or 2.

    For photographs it gives maps at a 4th, 8th, 16th and 32nd. With `lines`, strides after the first pooling halve the
    height alone, as PP-OCR has it of MobileNetV3: 3x32x320 becomes 1x80 steps.
    """

    tiny = {"width": 0.5, "lines": True, "units": [2, 1, 1]}

    def __init__(self, in_channels: int = 3, width: float = 0.5, lines: bool = False, units: tuple[int, ...] = _UNITS):
        if width not in _STAGES:
            raise ValueError(f"width {width}: it takes {', '.join(map(str, _STAGES))}")
        if len(units) != len(_UNITS) or min(units) < 1:
            raise ValueError(f"units {units}: it takes {len(_UNITS)} numbers, 1 or more each")
        *stages, last = _STAGES[width]
        plan = [*conv_unit(in_channels, _STEM, stride=(2, 2)), MaxPool((3, 3), (2, 2), (1, 1))]
        before, taps = _STEM, [len(plan) - 1]
        for channels, count in zip(stages, units):
            plan += _reduce(before, channels, (2, 1) if lines else (2, 2))
            plan += _unit(channels) * (count - 1)
            before = channels
            taps.append(len(plan) - 1)
        plan += conv_unit(before, last, (1, 1), padding=(0, 0))
        super().__init__(tuple(plan), in_channels)
        self.taps = () if lines else (*taps[:-1], len(plan) - 1)


def _unit(channels: int) -> Plan:
    """The first half of the channels as it is beside the second half convolved, shuffled (figure 3c)."""
    half = channels // 2
    beside = Keep("whole"), Slice(half, half), *_convolve(half, half, (1, 1)), Keep("convolved")
    return (*beside, Recall("whole"), Slice(0, half), Concat(("convolved",)), Shuffle(channels))


def _reduce(before: int, channels: int, stride: tuple[int, int]) -> Plan:
    """Both halves convolved with the stride from all channels (figure 3d)."""
    half = channels // 2
    beside = Keep("whole"), *_convolve(before, half, stride), Keep("convolved"), Recall("whole")
    direct = (
        *conv_unit(before, before, stride=stride, activation="", groups=before),
        *conv_unit(before, half, (1, 1), padding=(0, 0)),
    )
    return (*beside, *direct, Concat(("convolved",)), Shuffle(channels))


def _convolve(before: int, after: int, stride: tuple[int, int]) -> Plan:
    """1x1, depthwise 3x3 with the stride and without activation, 1x1."""
    return (
        *conv_unit(before, after, (1, 1), padding=(0, 0)),
        *conv_unit(after, after, stride=stride, activation="", groups=after),
        *conv_unit(after, after, (1, 1), padding=(0, 0)),
    )
