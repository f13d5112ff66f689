"""Attention between the steps of sequences (Vaswani et al., "Attention is all you need", 2017, section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crnn_jt.layers.base import NOTHING, Composite, Kept, Layer, Shape, at_least, expect, uniform
from crnn_jt.layers.combine import recall


def _projections(features: int, memory: int) -> dict[str, tuple[int, ...]]:
    """Arrays of four linear layers: `query` and `out` (features, features), `key` and `value` (features, memory)."""
    found: dict[str, tuple[int, ...]] = {}
    for name, taken in (("query", features), ("key", memory), ("value", memory), ("out", features)):
        found |= {f"{name}.weight": (features, taken), f"{name}.bias": (features,)}
    return found


class _MultiHead(Layer):
    """What self- and cross-attention share."""

    features: int
    heads: int

    def __post_init__(self):
        at_least(1, features=self.features, heads=self.heads)
        if self.features % self.heads:
            raise ValueError(f"heads {self.heads}: they do not divide {self.features} features")

    def fresh(self, name: str, rng: np.random.Generator) -> np.ndarray:
        shape = self.arrays()[name]
        return uniform(rng, shape, shape[1]) if len(shape) == 2 else np.zeros(shape, np.float32)


@dataclass(frozen=True)
class SelfAttention(_MultiHead):
    """Every step sees every step of its own sequence, (T, N, C) -> (T, N, C).

    Keys `query`, `key`, `value`, `out`, each with `weight` (features, features) and `bias` (features,).
    """

    features: int
    heads: int = 8

    def arrays(self) -> dict[str, tuple[int, ...]]:
        return _projections(self.features, self.features)

    def channels(self, before: int | None) -> int:
        expect("features", self.features, before)
        return self.features

    def cost(self, height: int, width: int, kept: Kept = NOTHING) -> int:
        steps = height * width
        return 4 * steps * self.features**2 + 2 * steps**2 * self.features


@dataclass(frozen=True)
class CrossAttention(_MultiHead, Composite):
    """Every step of the queries sees every step of a kept sequence, `memory` (S, N, M): -> (T, N, features).

    The queries are the value that comes in, or with `queries` a kept one. `memory_features` is M (0: `features`). With
    `diagonal`, step t does not see step t of the memory: a language model that must not read what it predicts (ABINet:
    Fang et al., CVPR 2021, section 3.2). Keys as SelfAttention's, `key` and `value` with M columns.
    """

    features: int
    heads: int = 8
    memory: str = "memory"
    memory_features: int = 0
    queries: str = ""
    diagonal: bool = False

    def arrays(self) -> dict[str, tuple[int, ...]]:
        return _projections(self.features, self.memory_features or self.features)

    def recalls(self) -> frozenset[str]:
        return frozenset({self.memory, self.queries} - {""})

    def shape(self, before: Shape, kept: Kept) -> Shape:
        memory = recall(kept, self.memory)
        expect("features of the memory", self.memory_features or self.features, memory.channels)
        queries = recall(kept, self.queries) if self.queries else before
        expect("features", self.features, queries.channels)
        return Shape(self.features, queries.height, queries.width)

    def cost(self, height: int, width: int, kept: Kept = NOTHING) -> int:
        queries = recall(kept, self.queries) if self.queries else Shape(None, height, width)
        steps, others = queries.height * queries.width, recall(kept, self.memory)
        seen = others.height * others.width
        memory = self.memory_features or self.features
        return 2 * steps * self.features**2 + 2 * seen * self.features * memory + 2 * steps * seen * self.features
