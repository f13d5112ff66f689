"""A layer whose products are taken in 8 bits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from crnn_jt.layers.base import NOTHING, Composite, Kept, Plan, Shape, cost, follow

STEPS = 127
"""Steps of 8 bits on either side of zero; -128 is not used, so that both sides are alike."""
LEAST = 1e-8
"""A range that nothing has set, or a channel of zeros, is taken as this."""
CLIP = 20.0
"""Where the learnt bound starts (Du et al., "PP-OCR", 2020, section 2.3)."""


@dataclass(frozen=True)
class Quantised(Composite):
    """The one layer of `body`, what it multiplies rounded to 8 bits.

    What comes in is clipped to [-a, a] and rounded to a 127th of the range; the layer's weights are rounded to a 127th
    of the greatest of their output channel. Key `clip` (1,): a, which is trained (PACT: Choi et al., "PACT:
    parameterized clipping activation for quantized neural networks", 2018; both sides of zero as in PP-OCR, where hard
    swish comes in). Key `range` (1,): the moving average of the greatest magnitude, state; the layer's own arrays
    are `body.0.…`. Where the weights are `stored` they were rounded when they were written, and are taken as they are.
    """

    body: Plan
    stored: bool = False

    buffers: ClassVar[tuple[str, ...]] = ("range",)
    parameter_groups: ClassVar[Mapping[str, str]] = {"clip": "clips"}

    def __post_init__(self):
        if len(self.body) != 1 or not self.body[0].products:
            raise ValueError("body: it takes one layer that multiplies by weights")

    def children(self) -> dict[str, Plan]:
        return {"body": self.body}

    def arrays(self) -> dict[str, tuple[int, ...]]:
        return {"clip": (1,), "range": (1,)}

    def fresh(self, name: str, rng: np.random.Generator) -> np.ndarray:
        """The bound where it starts, a range that nothing has set."""
        return np.full(1, CLIP if name == "clip" else 0, np.float32)

    def shape(self, before: Shape, kept: Kept) -> Shape:
        return follow(self.body, before, kept)

    def cost(self, height: int, width: int, kept: Kept = NOTHING) -> int:
        return cost(self.body, None, height, width, kept)
