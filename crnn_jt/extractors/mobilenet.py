"""MobileNetV3 (Howard et al., "Searching for MobileNetV3", ICCV 2019, tables 1 and 2), for photographs and for lines of
text as PP-OCR has it (Du et al., 2020, sections 2.1 and 2.3)."""

from __future__ import annotations

from crnn_jt.blocks import WIDEST, conv_unit, inverted_residual
from crnn_jt.extractors.base import Extractor
from crnn_jt.layers import MaxPool, Plan
from crnn_jt.registry import EXTRACTORS

# kernel, expanded channels, channels, squeeze-and-excite, activation, stride
_LARGE = (
    (3, 16, 16, False, "relu", 1),
    (3, 64, 24, False, "relu", 2),
    (3, 72, 24, False, "relu", 1),
    (5, 72, 40, True, "relu", 2),
    (5, 120, 40, True, "relu", 1),
    (5, 120, 40, True, "relu", 1),
    (3, 240, 80, False, "hardswish", 2),
    (3, 200, 80, False, "hardswish", 1),
    (3, 184, 80, False, "hardswish", 1),
    (3, 184, 80, False, "hardswish", 1),
    (3, 480, 112, True, "hardswish", 1),
    (3, 672, 112, True, "hardswish", 1),
    (5, 672, 160, True, "hardswish", 2),
    (5, 960, 160, True, "hardswish", 1),
    (5, 960, 160, True, "hardswish", 1),
)
_SMALL = (
    (3, 16, 16, True, "relu", 2),
    (3, 72, 24, False, "relu", 2),
    (3, 88, 24, False, "relu", 1),
    (5, 96, 40, True, "hardswish", 2),
    (5, 240, 40, True, "hardswish", 1),
    (5, 240, 40, True, "hardswish", 1),
    (5, 120, 48, True, "hardswish", 1),
    (5, 144, 48, True, "hardswish", 1),
    (5, 288, 96, True, "hardswish", 2),
    (5, 576, 96, True, "hardswish", 1),
    (5, 576, 96, True, "hardswish", 1),
)
_SIZES = {"large": (_LARGE, 960), "small": (_SMALL, 576)}
"""Blocks, and channels of the last convolution."""
_STEM = 16


def divisible(channels: float) -> int:
    """The nearest multiple of 8, at least 8, and not a tenth less than `channels`."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8


@EXTRACTORS.register("mobilenet_v3")
class MobileNetV3(Extractor):
    """`size` large or small, all channels times `width`, squeeze-and-excitation where `gates` says so.

    For photographs every stride halves both sides: maps at a 4th, 8th, 16th and 32nd. With `lines`, strides after the
    stem halve the height alone, the first of them nothing, and a pooling of 2x2 ends it: 3x32x320 becomes
    1x80 steps (PP-OCR's recogniser). `second_stride` 2 has the first of them halve the height too, as it was before
    PP-OCR's strategy of the feature map's resolution; the pooling is then along the line alone. With `paddle`, each
    depthwise convolution has one of 1x1 before it, and a block whose stride was turned off no shortcut: PaddleOCR's
    public code, for its published weights.
    """

    tiny = {"size": "small", "width": 0.125, "lines": True}

    def __init__(
        self,
        in_channels: int = 3,
        size: str = "large",
        width: float = 1.0,
        gates: bool = True,
        lines: bool = False,
        paddle: bool = False,
        second_stride: int = 1,
    ):
        if size not in _SIZES:
            raise ValueError(f"size {size!r}: it takes {' or '.join(_SIZES)}")
        if not 0 < width <= WIDEST:
            raise ValueError(f"width {width}: it takes more than 0, at most {WIDEST}")
        if second_stride not in (1, 2) or (second_stride == 2 and not lines):
            raise ValueError(f"second_stride {second_stride}: it takes 1, or for lines 2")
        plan, taps = _build_plan(in_channels, *_SIZES[size], width, gates, lines, paddle, second_stride)
        super().__init__(plan, in_channels)
        self.taps = () if lines else taps


def _build_plan(
    in_channels: int, blocks: tuple, last: int, width: float, gates: bool, lines: bool, paddle: bool, second: int
) -> tuple[Plan, tuple[int, ...]]:
    """The layers, and the positions of the last ones at each size from a 4th on."""
    before = divisible(_STEM * width)
    plan = list(conv_unit(in_channels, before, stride=(2, 2), activation="hardswish"))
    taps: list[int] = []
    for kernel, expanded, channels, gate, activation, stride in blocks:
        strides = (stride, stride)
        if lines:
            strides = (stride if taps else min(stride, second), 1)
        if stride == 2:
            taps.append(len(plan) - 1)
        after = divisible(channels * width)
        inner = divisible(expanded * width)
        shape = before, after, inner, (kernel, kernel), strides
        shortcut = stride == 1 or not paddle
        plan += inverted_residual(*shape, activation, gate and gates, always_widen=paddle, shortcut=shortcut)
        before = after
    plan += conv_unit(before, divisible(last * width), (1, 1), padding=(0, 0), activation="hardswish")
    if lines:
        plan.append(MaxPool() if second == 1 else MaxPool((1, 2), (1, 2)))
    return tuple(plan), (*taps[1:], len(plan) - 1)
