"""The feature pyramid of DB (Lin et al., "Feature pyramid networks for object detection", CVPR 2017; Liao et al.,
"Real-time scene text detection with differentiable binarization", AAAI 2020, figure 3)."""

from __future__ import annotations

from typing import Any, ClassVar

from crnn_jt import layers
from crnn_jt.blocks import conv_unit
from crnn_jt.layers import Add, Concat, Keep, Plan, Recall, Upsample
from crnn_jt.necks.base import Neck
from crnn_jt.registry import NECKS


def build_pyramid(channels: tuple[int, ...], inner: int) -> Plan:
    """A plan that sees maps `c0`, `c1` …, each half as large as the one before, of these channels.

    Each is brought to `inner` channels; from the coarsest on each is enlarged and added to the next finer one; a
    convolution makes an equal share of `inner` channels of each sum, all are enlarged to the finest and joined.
    """
    last, share = len(channels) - 1, inner // len(channels)
    plan: list[layers.Layer] = []
    for level in range(last, -1, -1):
        if level < last:
            plan += [Upsample(), Keep("above")]
        plan += [Recall(f"c{level}"), *conv_unit(channels[level], inner, (1, 1), padding=(0, 0), activation="")]
        plan += [Add("above")] if level < last else []
        plan += [Keep(f"sum{level}")]
    for level in range(last, 0, -1):
        plan += [Recall(f"sum{level}"), *conv_unit(inner, share), Upsample((2**level, 2**level)), Keep(f"part{level}")]
    plan += [Recall("sum0"), *conv_unit(inner, inner - last * share)]
    return (*plan, Concat(tuple(f"part{level}" for level in range(1, last + 1))))


@NECKS.register("fpn")
class FeaturePyramid(Neck):
    """The pyramid, of `inner` channels."""

    tiny: ClassVar[dict[str, Any]] = {"inner": 8}

    def __init__(self, channels: tuple[int, ...], inner: int = 96):
        if inner < len(channels):
            raise ValueError(f"inner {inner}: it takes {len(channels)} or more, one for each map")
        super().__init__(channels, build_pyramid(channels, inner))
