"""Layers of sequences (T, N, C), and the pieces that decoders run step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from crnn_jt.layers.base import NOTHING, Kept, Layer, at_least, expect, uniform


@dataclass(frozen=True)
class Linear(Layer):
    """A linear layer on the last axis; keys `weight` (out, in) and, with `bias`, `bias` (out,). With `zero` it starts
    at zero: what is added to a first guess.
    """

    in_features: int
    out_features: int
    bias: bool = True
    zero: bool = False

    products: ClassVar[Mapping[str, int]] = {"weight": 0}

    def __post_init__(self):
        at_least(1, in_features=self.in_features, out_features=self.out_features)

    def arrays(self) -> dict[str, tuple[int, ...]]:
        weight = {"weight": (self.out_features, self.in_features)}
        return weight | ({"bias": (self.out_features,)} if self.bias else {})

    def fresh(self, name: str, rng: np.random.Generator) -> np.ndarray:
        return np.zeros(self.arrays()[name], np.float32) if self.zero else super().fresh(name, rng)

    def channels(self, before: int | None) -> int:
        expect("features", self.in_features, before)
        return self.out_features

    def cost(self, height: int, width: int, kept: Kept = NOTHING) -> int:
        return height * width * self.in_features * self.out_features


@dataclass(frozen=True)
class _Recurrent(Layer):
    """What recurrent layers share: `gates` matrices of `hidden` rows for the input, the state and two biases."""

    in_features: int
    hidden: int

    recurrent: ClassVar[bool] = True
    gates: ClassVar[int] = 4
    ends: ClassVar[tuple[str, ...]] = ("",)

    def __post_init__(self):
        at_least(1, in_features=self.in_features, hidden=self.hidden)

    def arrays(self) -> dict[str, tuple[int, ...]]:
        rows = self.gates * self.hidden
        found: dict[str, tuple[int, ...]] = {}
        for end in self.ends:
            found |= {f"weight_ih{end}": (rows, self.in_features), f"weight_hh{end}": (rows, self.hidden)}
            found |= {f"bias_ih{end}": (rows,), f"bias_hh{end}": (rows,)}
        return found

    def fresh(self, name: str, rng: np.random.Generator) -> np.ndarray:
        """The input bias of an LSTM's forget gate, the second of four, starts at 1 (Jozefowicz et al., "An empirical
        exploration of recurrent network architectures", 2015).
        """
        shape = self.arrays()[name]
        if len(shape) == 2:
            return uniform(rng, shape, self.hidden)
        values = np.zeros(shape, np.float32)
        if self.gates == 4 and name.startswith("bias_ih"):
            values[self.hidden : 2 * self.hidden] = 1
        return values

    def channels(self, before: int | None) -> int:
        expect("features", self.in_features, before)
        return len(self.ends) * self.hidden

    def cost(self, height: int, width: int, kept: Kept = NOTHING) -> int:
        rows = len(self.ends) * self.gates * self.hidden
        return height * width * rows * (self.in_features + self.hidden)


@dataclass(frozen=True)
class LSTMCell(_Recurrent):
    """One step of an LSTM, gates i, f, g, o; its cost is that of (1, T) steps.

    Keys `weight_ih` (4·hidden, in), `weight_hh` (4·hidden, hidden), `bias_ih`, `bias_hh` (4·hidden,).
    """


@dataclass(frozen=True)
class BiLSTM(_Recurrent):
    """One bidirectional LSTM layer, (T, N, in) -> (T, N, 2·hidden), gates i, f, g, o.

    Keys `weight_ih_l0` (4·hidden, in), `weight_hh_l0` (4·hidden, hidden), `bias_ih_l0`, `bias_hh_l0` (4·hidden,) and
    the same with `_reverse`: the layout of PyTorch's and Jittor's `nn.LSTM`.
    """

    ends: ClassVar[tuple[str, ...]] = ("_l0", "_l0_reverse")
    products: ClassVar[Mapping[str, int]] = {
        f"weight_{part}{end}": 0 for end in ("_l0", "_l0_reverse") for part in ("ih", "hh")
    }


@dataclass(frozen=True)
class GRUCell(_Recurrent):
    """One step of a GRU, gates r, z, n (Cho et al., 2014); keys as LSTMCell's with 3·hidden rows."""

    gates: ClassVar[int] = 3


@dataclass(frozen=True)
class Embedding(Layer):
    """A row of `weight` (rows, features) for each index."""

    rows: int
    features: int

    def __post_init__(self):
        at_least(1, rows=self.rows, features=self.features)

    def arrays(self) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.rows, self.features)}

    def channels(self, before: int | None) -> int:
        return self.features


@dataclass(frozen=True)
class GlobalMaxContext(Layer):
    """Each step together with the whole: its features, then the largest value of each over all steps; (T, N, C) ->
    (T, N, 2C). After Han et al., "ContextNet", 2020, which takes the mean where this takes the largest.
    """

    features: int

    def channels(self, before: int | None) -> int:
        expect("features", self.features, before)
        return 2 * self.features


@dataclass(frozen=True)
class Positions(Layer):
    """Adds row t of a table to step t: sines and cosines of t · 10000^(-2k / features) (Vaswani et al., "Attention is
    all you need", 2017, section 3.5). Key `table` (longest, features), state that is never trained.
    """

    features: int
    longest: int = 512

    buffers: ClassVar[tuple[str, ...]] = ("table",)

    def __post_init__(self):
        at_least(1, features=self.features, longest=self.longest)

    def arrays(self) -> dict[str, tuple[int, ...]]:
        return {"table": (self.longest, self.features)}

    def fresh(self, name: str, rng: np.random.Generator) -> np.ndarray:
        """The table; nothing is drawn."""
        even = np.arange(0, self.features, 2)
        angles = np.arange(self.longest)[:, None] / 10000 ** (even / self.features)  # (longest, features / 2)
        table = np.zeros((self.longest, self.features), np.float32)
        table[:, 0::2] = np.sin(angles)
        table[:, 1::2] = np.cos(angles[:, : self.features // 2])
        return table

    def size(self, height, width) -> tuple:
        if np.max(width) > self.longest:
            raise ValueError(f"holds {self.longest} steps, the sequence has {np.max(width)}")
        return height, width

    def channels(self, before: int | None) -> int:
        expect("features", self.features, before)
        return self.features
