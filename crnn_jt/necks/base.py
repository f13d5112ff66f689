"""What necks share: a plan that sees maps of several sizes by name."""

from __future__ import annotations

from crnn_jt import layers
from crnn_jt.layers import Plan, Shape
from crnn_jt.stack import PlanStage


class Neck(PlanStage):
    """Maps of `channels`, from the finest to the coarsest, -> (N, C, H, W) at the finest, by a plan that sees them as
    `c0`, `c1` …
    """

    def __init__(self, channels: tuple[int, ...], plan: Plan):
        super().__init__(plan)
        shapes = [Shape(count, None, None) for count in channels]
        self.out_channels = layers.follow(plan, shapes[-1], _named(shapes)).channels

    def execute(self, maps: list):
        """`maps` (N, C, H, W), from the finest to the coarsest."""
        return self.stack(maps[-1], None, {f"c{level}": (value, None) for level, value in enumerate(maps)})

    def out_shape(self, shapes: list[Shape]) -> Shape:
        """The shape for maps of these shapes. Raises ValueError where they are not each half of the one before."""
        return layers.follow(self.plan, shapes[-1], _named(shapes))

    def cost(self, shapes: list[Shape]) -> int:
        """Multiply-adds for maps of these shapes."""
        return layers.cost(self.plan, *shapes[-1], _named(shapes))


def _named(shapes: list[Shape]) -> dict[str, Shape]:
    return {f"c{level}": shape for level, shape in enumerate(shapes)}
