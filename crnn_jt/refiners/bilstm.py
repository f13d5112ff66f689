"""The narrow waist: bidirectional LSTM layers."""

from __future__ import annotations

import numpy as np

from crnn_jt import layers
from crnn_jt.backend import nn
from crnn_jt.layers import BiLSTM, Context, Dropout, Linear, Plan
from crnn_jt.registry import REFINERS
from crnn_jt.stack import Stack


@REFINERS.register("bilstm")
class BiLSTMRefiner(nn.Module):
    """`depth` bidirectional LSTM layers of `hidden` units a direction, a Linear to `projection` features (default:
    `hidden`) between two of them; (T, N, in) -> (T, N, 2·hidden) (the CRNN paper, section 2.2).

    With `context`, every layer but the first also sees what the one before found anywhere in the line: a note's pitch
    hangs on the clef and the key signature, hundreds of steps away.
    """

    def __init__(
        self,
        in_features: int,
        hidden: int = 256,
        depth: int = 2,
        projection: int = 0,
        dropout: float = 0.0,
        context: bool = False,
    ):
        super().__init__()
        if hidden < 1 or depth < 1:
            raise ValueError("hidden and depth take 1 or more")
        if not 0 <= dropout < 1:
            raise ValueError("dropout takes 0 or more, below 1")
        plan: list[layers.Layer] = []
        features = in_features
        for position in range(depth):
            if position and context:
                plan.append(Context(features))
                features *= 2
            if position:
                plan.append(Linear(features, projection or hidden))
                features = projection or hidden
            plan.append(BiLSTM(features, hidden))
            features = 2 * hidden
            if dropout:
                plan.append(Dropout(dropout))
        self.plan = tuple(plan)
        self.out_features = features
        self.stack = Stack(self.plan)

    def layers(self) -> Plan:
        """The layers in the order of computation, for `freeze` and `export`."""
        return self.plan

    def execute(self, x, lengths: np.ndarray | None = None):
        """(T, N, in) -> (T, N, 2·hidden); `lengths` (N,) where they differ, else None."""
        return self.stack(x, lengths)
