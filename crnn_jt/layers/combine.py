"""Layers that put values together: inner plans, and values kept under a name for later in the plan.

    Keep("c2"), MaxPool(), …, Upsample(), Add("c2")        a feature pyramid's way down
    Keep("e1"), MaxPool(), …, Upsample(), Concat(("e1",))  a U-net
    Choice((mbconv, (), …))                                one of several, for a search
    Keep("c2"), Block((…, Keep("a"), …, Add("a"))), …      a cell, whose own values stay within

An inner plan sees what was kept before it; what it keeps itself ends with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from crnn_jt.layers.base import NOTHING, Composite, Kept, Layer, Plan, Shape, cost, follow


def recall(kept: dict[str, Any] | Kept, name: str) -> Any:
    """What was kept under a name. Raises ValueError."""
    if name not in kept:
        raise ValueError(f"nothing is kept under {name!r}; there are: {', '.join(kept) or 'none'}")
    return kept[name]


def _agree(one: Shape, other: Shape, what: str, channels: bool = True) -> None:
    """Raises ValueError where two shapes differ (None: unknown)."""
    for name, a, b in zip(Shape._fields, one, other):
        if (name == "channels" and not channels) or a is None or b is None:
            continue
        if not np.array_equal(a, b):
            raise ValueError(f"{what}: {name} {a} and {b}")


@dataclass(frozen=True)
class Block(Composite):
    """Layers as one: what they keep is gone after them, so that a plan may have many alike (the cells of a network)."""

    body: Plan

    def children(self) -> dict[str, Plan]:
        return {"body": self.body}

    def shape(self, before: Shape, kept: Kept) -> Shape:
        return follow(self.body, before, kept)

    def cost(self, height: int, width: int, kept: Kept = NOTHING) -> int:
        return cost(self.body, None, height, width, kept)


@dataclass(frozen=True)
class Residual(Composite):
    """`body(x) + shortcut(x)`; an empty shortcut is the identity. Both must come to the same shape."""

    body: Plan
    shortcut: Plan = ()

    def children(self) -> dict[str, Plan]:
        return {"body": self.body, "shortcut": self.shortcut}

    def shape(self, before: Shape, kept: Kept) -> Shape:
        body, shortcut = (follow(plan, before, kept) for plan in (self.body, self.shortcut))
        _agree(body, shortcut, "body and shortcut differ")
        return body

    def cost(self, height: int, width: int, kept: Kept = NOTHING) -> int:
        return sum(cost(plan, None, height, width, kept) for plan in (self.body, self.shortcut))


@dataclass(frozen=True)
class Gate(Composite):
    """`x · body(x)`, of the same channels; the body's map may be 1 by 1 (squeeze-and-excitation: Hu et al., 2018)."""

    body: Plan

    def children(self) -> dict[str, Plan]:
        return {"body": self.body}

    def shape(self, before: Shape, kept: Kept) -> Shape:
        gate = follow(self.body, before, kept)
        single = all(size is None or np.all(size == 1) for size in gate[1:])
        _agree(before, gate._replace(height=None, width=None) if single else gate, "x and its gate differ")
        return before

    def cost(self, height: int, width: int, kept: Kept = NOTHING) -> int:
        return cost(self.body, None, height, width, kept)


@dataclass(frozen=True)
class Choice(Composite):
    """One of several plans that come to the same shape: that of the largest entry of `alphas` (candidates,), the first
    of equals; while a search runs, what it has drawn. Keys `alphas`, and `n.…` for the arrays of candidate n.

    Its cost is the dearest candidate's. It is trained, and resolved once it is known (`search.supernet`), not shipped.
    """

    candidates: tuple[Plan, ...]

    def __post_init__(self):
        if not self.candidates:
            raise ValueError("candidates: it takes one or more")

    def arrays(self) -> dict[str, tuple[int, ...]]:
        return {"alphas": (len(self.candidates),)}

    def fresh(self, name: str, rng: np.random.Generator) -> np.ndarray:
        """Uniform within ±1e-3, so that nothing is preferred (AutoSTR's public code)."""
        return rng.uniform(-1e-3, 1e-3, len(self.candidates)).astype(np.float32)

    def children(self) -> dict[str, Plan]:
        return {str(number): plan for number, plan in enumerate(self.candidates)}

    def with_children(self, children: dict[str, Plan]) -> Choice:
        return Choice(tuple(children.values()))

    def shape(self, before: Shape, kept: Kept) -> Shape:
        first, *others = (follow(plan, before, kept) for plan in self.candidates)
        for other in others:
            _agree(first, other, "candidates differ")
        return first

    def cost(self, height: int, width: int, kept: Kept = NOTHING) -> int:
        return max(cost(plan, None, height, width, kept) for plan in self.candidates)


@dataclass(frozen=True)
class Keep(Layer):
    """Keeps the value under a name for a later layer, and passes it on."""

    name: str

    def shape(self, before: Shape, kept: dict[str, Shape]) -> Shape:
        kept[self.name] = before
        return before


@dataclass(frozen=True)
class Recall(Composite):
    """Goes on from a kept value instead of the one that comes in."""

    name: str

    def recalls(self) -> frozenset[str]:
        return frozenset({self.name})

    def shape(self, before: Shape, kept: Kept) -> Shape:
        return recall(kept, self.name)


@dataclass(frozen=True)
class Add(Composite):
    """x + a kept value of the same shape."""

    name: str

    def recalls(self) -> frozenset[str]:
        return frozenset({self.name})

    def shape(self, before: Shape, kept: Kept) -> Shape:
        other = recall(kept, self.name)
        _agree(before, other, f"x and {self.name!r} differ")
        return before


@dataclass(frozen=True)
class Concat(Composite):
    """x, then kept values of the same size, along the channels of maps (N, C, H, W)."""

    names: tuple[str, ...]

    def recalls(self) -> frozenset[str]:
        return frozenset(self.names)

    def shape(self, before: Shape, kept: Kept) -> Shape:
        others = [recall(kept, name) for name in self.names]
        for name, other in zip(self.names, others):
            _agree(before, other, f"x and {name!r} differ", channels=False)
        counts = [before.channels, *(other.channels for other in others)]
        return before._replace(channels=None if None in counts else sum(counts))
