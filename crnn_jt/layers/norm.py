"""Normalisations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from crnn_jt.layers.base import Layer, at_least, expect


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Batch normalisation of maps (N, C, H, W); keys `weight`, `bias`, `running_mean`, `running_var`, each (features,)
    with features = C.
    """

    features: int
    eps: float = 1e-5

    buffers: ClassVar[tuple[str, ...]] = ("running_mean", "running_var")

    def __post_init__(self):
        at_least(1, features=self.features)

    def arrays(self) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (self.features,))

    def fresh(self, name: str, rng: np.random.Generator) -> np.ndarray:
        return np.full(self.features, name in ("weight", "running_var"), np.float32)

    def channels(self, before: int | None) -> int:
        expect("channels", self.features, before)
        return self.features


@dataclass(frozen=True)
class LayerNorm(Layer):
    """Normalisation of the last axis, (T, N, C) (Ba, Kiros, Hinton, "Layer normalization", 2016); keys `weight`,
    `bias`, each (features,).
    """

    features: int
    eps: float = 1e-5

    def __post_init__(self):
        at_least(1, features=self.features)

    def arrays(self) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(("weight", "bias"), (self.features,))

    def fresh(self, name: str, rng: np.random.Generator) -> np.ndarray:
        return np.full(self.features, name == "weight", np.float32)

    def channels(self, before: int | None) -> int:
        expect("features", self.features, before)
        return self.features
