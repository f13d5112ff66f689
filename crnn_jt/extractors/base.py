"""What extractors share: a plan, and the shapes that follow from it."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from crnn_jt import layers
from crnn_jt.layers import Plan, Shape
from crnn_jt.sequences import COLUMNS, Sequence
from crnn_jt.stack import PlanStage


class Extractor(PlanStage):
    """(N, C, H, W) -> (N, C', H', W')."""

    sequence: ClassVar[Sequence] = COLUMNS
    """How the feature map becomes a sequence."""
    taps: tuple[int, ...] = ()
    """Positions in the plan after which `pyramid` takes a map, from the finest to the coarsest."""
    tiny: ClassVar[dict[str, Any]] = {}
    """Options small enough for tests and smoke benches."""

    def __init__(self, plan: Plan, in_channels: int):
        super().__init__(plan)
        self.in_channels = in_channels
        self.out_channels = layers.out_channels(plan, in_channels)

    def out_shape(self, height, width) -> tuple:
        """(H', W') for an image of (H, W); the width may be an integer array."""
        return layers.out_shape(self.plan, height, width)

    def execute(self, images, widths: np.ndarray | None = None):
        """`widths` (N,): the valid width of each image where they differ, else None."""
        return self.stack(images, widths)

    def pyramid(self, images, widths: np.ndarray | None = None) -> list:
        """The maps (N, C, H, W) after the `taps`, in their order."""
        return [features for features, _ in self.stack.maps(images, widths, self.taps)]

    def pyramid_shapes(self, height, width) -> list[Shape]:
        """Channels, height and width of each map of `pyramid` for an image of (height, width)."""
        before = Shape(self.in_channels, height, width)
        return [layers.follow(self.plan[: tap + 1], before) for tap in self.taps]
