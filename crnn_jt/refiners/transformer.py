"""A transformer's encoder: every step sees every other (Vaswani et al., "Attention is all you need", 2017)."""

from __future__ import annotations

from crnn_jt.blocks import encoder_layer
from crnn_jt.layers import Dropout, Plan, Positions
from crnn_jt.refiners.base import Refiner
from crnn_jt.registry import REFINERS


def plan_transformer(features: int, depth: int, heads: int, hidden: int, dropout: float) -> Plan:
    """Positions added, then `depth` layers."""
    drop = (Dropout(dropout),) if dropout else ()
    layers = (layer for _ in range(depth) for layer in encoder_layer(features, heads, hidden, dropout))
    return (Positions(features), *drop, *layers)


@REFINERS.register("transformer")
class Transformer(Refiner):
    """`depth` layers of self-attention with `heads` heads and a feed-forward net of `hidden` units, normalised after
    each sum; (T, N, C) -> (T, N, C), T at most 512. `heads` must divide C.
    """

    tiny = {"depth": 1, "heads": 1, "hidden": 8, "dropout": 0.0}

    def __init__(self, in_features: int, depth: int = 3, heads: int = 8, hidden: int = 2048, dropout: float = 0.1):
        if depth < 1 or heads < 1 or hidden < 1:
            raise ValueError("depth, heads and hidden take 1 or more")
        if not 0 <= dropout < 1:
            raise ValueError("dropout takes 0 or more, below 1")
        super().__init__(plan_transformer(in_features, depth, heads, hidden, dropout), in_features)
