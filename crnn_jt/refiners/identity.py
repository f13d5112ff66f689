"""No refinement: the generator sees the extractor's vectors as they are."""

from __future__ import annotations

import numpy as np

from crnn_jt.backend import nn
from crnn_jt.layers import Plan
from crnn_jt.registry import REFINERS


@REFINERS.register("identity")
class Identity(nn.Module):
    """(T, N, C) -> (T, N, C)."""

    def __init__(self, in_features: int):
        super().__init__()
        self.out_features = in_features

    def layers(self) -> Plan:
        """No layers."""
        return ()

    def execute(self, x, lengths: np.ndarray | None = None):
        return x
