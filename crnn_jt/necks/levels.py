"""The feature pyramid of two-stage detectors: a map of its own for each size (Lin et al., "Feature pyramid networks for
object detection", CVPR 2017)."""

from __future__ import annotations

from typing import Any, ClassVar

from crnn_jt import layers
from crnn_jt.blocks import conv_unit
from crnn_jt.layers import Add, Keep, MaxPool, Plan, Recall, Shape, Upsample
from crnn_jt.registry import NECKS
from crnn_jt.stack import PlanStage


def build_levels(channels: tuple[int, ...], inner: int) -> tuple[Plan, tuple[int, ...]]:
    """A plan that sees maps `c0`, `c1` …, each half as large as the one before, and the positions after which the
    levels stand, from the finest to the coarsest, which is half as large as the last map.

    Each map is brought to `inner` channels; from the coarsest on each is enlarged and added to the next finer one; a
    convolution goes over each sum.
    """
    plan: list[layers.Layer] = []
    taps: list[int] = []
    last, plain = len(channels) - 1, {"norm": False, "activation": ""}
    for level in range(last, -1, -1):
        if level < last:
            plan += [Recall(f"sum{level + 1}"), Upsample(), Keep("above")]
        plan += [Recall(f"c{level}"), *conv_unit(channels[level], inner, (1, 1), padding=(0, 0), **plain)]
        plan += [Add("above")] if level < last else []
        plan += [Keep(f"sum{level}"), *conv_unit(inner, inner, **plain)]
        taps.append(len(plan) - 1)
        if level == last:
            plan.append(MaxPool((1, 1), (2, 2)))
            taps.append(len(plan) - 1)
    finest = [taps[0], *taps[2:]][::-1]
    return tuple(plan), (*finest, taps[1])


@NECKS.register("levels")
class PyramidLevels(PlanStage):
    """Maps of `channels`, from the finest to the coarsest, -> as many levels and a coarser one, (N, inner, H, W)."""

    tiny: ClassVar[dict[str, Any]] = {"inner": 8}

    def __init__(self, channels: tuple[int, ...], inner: int = 256):
        if inner < 1:
            raise ValueError(f"inner {inner}: it takes 1 or more")
        plan, self.taps = build_levels(channels, inner)
        super().__init__(plan)
        self.out_channels = inner

    def execute(self, maps: list) -> list:
        """`maps` (N, C, H, W), from the finest to the coarsest."""
        kept = {f"c{level}": (value, None) for level, value in enumerate(maps)}
        return [features for features, _ in self.stack.maps(maps[-1], None, self.taps, kept)]

    def out_shape(self, shapes: list[Shape]) -> list[Shape]:
        """The shapes of the levels for maps of these shapes."""
        kept = {f"c{level}": shape for level, shape in enumerate(shapes)}
        return [layers.follow(self.plan[: tap + 1], shapes[-1], kept) for tap in self.taps]

    def cost(self, shapes: list[Shape]) -> int:
        """Multiply-adds for maps of these shapes."""
        kept = {f"c{level}": shape for level, shape in enumerate(shapes)}
        return layers.cost(self.plan, *shapes[-1], kept)
