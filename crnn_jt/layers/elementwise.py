"""What is done to each value alone."""

from __future__ import annotations

from dataclasses import dataclass

from crnn_jt.layers.base import Layer

ACTIVATIONS = ("relu", "relu6", "hardswish", "hardsigmoid", "gelu", "sigmoid")


@dataclass(frozen=True)
class Activation(Layer):
    """An elementwise function without weights: relu, relu6, hardswish, hardsigmoid (relu6(x + 3) / 6), gelu (by the
    error function) or sigmoid.
    """

    kind: str = "relu"

    def __post_init__(self):
        if self.kind not in ACTIVATIONS:
            raise ValueError(f"kind {self.kind!r}: it takes {', '.join(ACTIVATIONS)}")


@dataclass(frozen=True)
class Dropout(Layer):
    """Drops features while training; nothing at all when reading."""

    rate: float

    def __post_init__(self):
        if not 0 <= self.rate < 1:
            raise ValueError(f"rate {self.rate}: it takes 0 or more, below 1")
