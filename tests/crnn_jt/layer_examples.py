"""A small plan around each layer: what the tests of layers sweep over.

Images are (3, 4, 6, 8), sequences (7, 3, 8); the samples of a batch have widths or lengths of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crnn_jt.blocks import encoder_layer, inverted_residual, squeeze_excite
from crnn_jt.layers import (
    ACTIVATIONS,
    Activation,
    Add,
    AvgPool,
    BatchNorm,
    BiLSTM,
    Block,
    Choice,
    Concat,
    Conv,
    ConvTranspose,
    CrossAttention,
    Dropout,
    Embedding,
    Gate,
    GlobalMaxContext,
    GlobalMean,
    GRUCell,
    Keep,
    Layer,
    LayerNorm,
    Linear,
    LSTMCell,
    MaxPool,
    Plan,
    Positions,
    Quantised,
    Recall,
    Residual,
    SelfAttention,
    Shape,
    Shuffle,
    Slice,
    Upsample,
    walk,
)

POINT = Conv(4, 4, (1, 1), padding=(0, 0))
IMAGES = {
    "Conv": (Conv(4, 6, (3, 5), (2, 1), (1, 2)),),
    "Conv, dilated": (Conv(4, 6, (3, 2), (2, 1), (2, 1), dilation=(2, 3)),),
    "Conv, dilated depthwise": (Conv(4, 4, padding=(2, 2), groups=4, bias=False, dilation=(2, 2)), Activation()),
    "Conv, depthwise": (Conv(4, 8, groups=4, bias=False),),
    "ConvTranspose": (ConvTranspose(4, 3),),
    "ConvTranspose, overlapping": (ConvTranspose(4, 3, (3, 3), (2, 2), (1, 1), bias=False),),
    "BatchNorm": (BatchNorm(4),),
    **{f"Activation, {kind}": (Activation(kind),) for kind in ACTIVATIONS},
    "MaxPool": (MaxPool((2, 2), (2, 1), (0, 1)),),
    "AvgPool": (AvgPool((4, 2)), Conv(4, 2)),
    "AvgPool, overlapping": (AvgPool((3, 3), (2, 1), (1, 1)), Conv(4, 2)),
    "Slice": (Slice(1, 2), Conv(2, 4)),
    "Shuffle": (Shuffle(4), Conv(4, 2)),
    "GlobalMean": (GlobalMean(),),
    "Upsample": (Upsample((1, 2)), Conv(4, 2)),
    "Block": (
        *(Keep("in"), Block((Conv(4, 3), Keep("own"), Activation(), Concat(("own", "in")))), Activation("relu6")),
        *(Conv(10, 3), Block((Conv(3, 4),)), Add("in")),
    ),
    "Residual": (Residual((Conv(4, 4), Activation()), (POINT,)),),
    "Gate": (squeeze_excite(4, 2),),
    "Gate, of the same size": (Gate((POINT, Activation("sigmoid"))),),
    "Choice": (Choice(((), (Conv(4, 4), Activation()), (POINT,))),),
    "Add": (Keep("fine"), MaxPool(), POINT, Upsample(), Add("fine"), Conv(4, 2)),
    "Concat": (Keep("fine"), MaxPool(), Keep("coarse"), Upsample(), Concat(("fine",)), Conv(8, 2)),
    "Recall": (Keep("fine"), POINT, Keep("other"), Recall("fine"), Conv(4, 4), Add("other")),
    "Quantised": (Conv(4, 4), Quantised((Conv(4, 6, (3, 5), (2, 1), (1, 2)),))),
    "Quantised, dilated": (Quantised((Conv(4, 3, padding=(2, 2), dilation=(2, 2)),)),),
    "Quantised, transposed": (Quantised((ConvTranspose(4, 3),)),),
    "inverted residual unit": inverted_residual(4, 4, 8, gate=True),
}
SEQUENCES = {
    "Linear": (Linear(8, 5),),
    "Linear, no bias": (Linear(8, 5, bias=False),),
    "BiLSTM": (BiLSTM(8, 3),),
    "Quantised, of sequences": (Quantised((Linear(8, 5),)), Quantised((BiLSTM(5, 3),))),
    "GlobalMaxContext": (GlobalMaxContext(8),),
    "Dropout": (Dropout(0.5),),
    "LayerNorm": (LayerNorm(8),),
    "Positions": (Positions(8, 9),),
    "SelfAttention": (SelfAttention(8, 2),),
    "CrossAttention": (Keep("memory"), Linear(8, 6), CrossAttention(6, 3, memory_features=8)),
    "CrossAttention, named": (
        Keep("asks"),
        Linear(8, 6),
        Keep("said"),
        CrossAttention(8, 2, "said", 6, queries="asks", diagonal=True),
    ),
    "transformer's encoder layer": encoder_layer(8, 2, 12),
}
PLANS: dict[str, Plan] = IMAGES | SEQUENCES
PIECES: tuple[Layer, ...] = (LSTMCell(3, 2), GRUCell(3, 2), Embedding(5, 3))
"""Layers that run in no chain."""


@dataclass(frozen=True)
class Example:
    """A plan with a batch for it and the samples' own sizes."""

    plan: Plan
    x: np.ndarray
    sizes: np.ndarray

    @property
    def shape(self) -> Shape:
        """Of one sample, padding included."""
        images = self.x.ndim == 4
        return Shape(*self.x.shape[1:]) if images else Shape(self.x.shape[2], 1, self.x.shape[0])

    def alone(self, x: np.ndarray, n: int, size: int | None = None) -> np.ndarray:
        """Sample `n` of x without its padding."""
        size = self.sizes[n] if size is None else size
        return x[n : n + 1, :, :, :size] if x.ndim == 4 else x[:size, n : n + 1]


def example(name: str) -> Example:
    """The example of that name; the same numbers at each call."""
    rng = np.random.default_rng(len(name))
    if name in IMAGES:
        return Example(IMAGES[name], rng.standard_normal((3, 4, 6, 8)), np.array([8, 4, 6]))
    return Example(SEQUENCES[name], rng.standard_normal((7, 3, 8)), np.array([4, 7, 2]))


def every_layer() -> list[Layer]:
    """An instance of each kind of layer in the examples."""
    found = {}
    waiting = [*PIECES, *(layer for plan in PLANS.values() for layer in plan)]
    while waiting:
        layer = waiting.pop()
        found[type(layer)] = layer
        waiting += [inner for plan in layer.children().values() for inner in plan]
    return list(found.values())


def has_matrices(plan: Plan) -> bool:
    """Whether something in a plan multiplies by weights."""
    return any(
        len(shape) > 1 and name not in layer.buffers
        for _, layer in walk(plan)
        for name, shape in layer.arrays().items()
    )
