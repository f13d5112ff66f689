"""What refiners share: a plan of sequence layers."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from crnn_jt import layers
from crnn_jt.layers import Plan
from crnn_jt.stack import PlanStage


class Refiner(PlanStage):
    """(T, N, in) -> (T, N, out_features)."""

    tiny: ClassVar[dict[str, Any]] = {}
    """Options small enough for tests and smoke benches."""

    def __init__(self, plan: Plan, in_features: int):
        super().__init__(plan)
        self.out_features = layers.out_channels(plan, in_features)

    def execute(self, x, lengths: np.ndarray | None = None):
        """(T, N, in) -> (T, N, out_features); `lengths` (N,) where they differ, else None."""
        return self.stack(x, lengths)
