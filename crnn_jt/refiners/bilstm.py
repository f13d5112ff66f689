"""The narrow waist: bidirectional LSTM layers."""

from __future__ import annotations

from crnn_jt.layers import BiLSTM, Dropout, GlobalMaxContext, Layer, Linear
from crnn_jt.refiners.base import Refiner
from crnn_jt.registry import REFINERS


@REFINERS.register("bilstm")
class BiLSTMRefiner(Refiner):
    """`depth` bidirectional LSTM layers of `hidden` units a direction, a Linear to `projection` features (default:
    `hidden`) between two of them; (T, N, in) -> (T, N, 2·hidden) (the CRNN paper, section 2.2).

    With `context`, every layer but the first also sees what the one before found anywhere in the line: a note's pitch
    depends on the clef and the key signature, hundreds of steps away.
    """

    tiny = {"hidden": 8, "depth": 2}

    def __init__(
        self,
        in_features: int,
        hidden: int = 256,
        depth: int = 2,
        projection: int = 0,
        dropout: float = 0.0,
        context: bool = False,
    ):
        if hidden < 1 or depth < 1:
            raise ValueError("hidden and depth take 1 or more")
        if not 0 <= dropout < 1:
            raise ValueError("dropout takes 0 or more, below 1")
        plan: list[Layer] = []
        features = in_features
        for position in range(depth):
            if position and context:
                plan.append(GlobalMaxContext(features))
                features *= 2
            if position:
                plan.append(Linear(features, projection or hidden))
                features = projection or hidden
            plan.append(BiLSTM(features, hidden))
            features = 2 * hidden
            if dropout:
                plan.append(Dropout(dropout))
        super().__init__(tuple(plan), in_features)
