"""Which channels of a network belong together: those of a sum, of a depthwise convolution and its input, of a gate and
what it weighs; and the axes of arrays along which they lie. What prunes them asks here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np

from crnn_jt import layers
from crnn_jt.compression.parts import Part
from crnn_jt.layers import Layer, Plan, recall
from data_tools.errors import UserError

Sets = tuple[int, ...]
"""The channels of a value: sets of channels side by side, by number."""


class Value(NamedTuple):
    """What flows between two layers: its channels, of maps of height by width."""

    channels: Sets
    height: Any
    width: Any


@dataclass
class Flow:
    """What a walk through a network finds.

    `sizes` counts the channels of each set; `fixed` are those that must stay. `axes` says of each array which channels
    lie along which axis; `filters` which arrays make the channels of a set, with the axis of their filters; `costs`
    the multiply-adds of each array; `passed` the channels before and after each layer of a part, by name and place.
    """

    sizes: list[int] = field(default_factory=list)
    fixed: set[int] = field(default_factory=set)
    axes: dict[str, dict[int, Sets]] = field(default_factory=dict)
    filters: list[tuple[int, str, int]] = field(default_factory=list)
    costs: dict[str, int] = field(default_factory=dict)
    passed: dict[tuple[str, str], tuple[Sets, Sets]] = field(default_factory=dict)
    _joined: list[int] = field(default_factory=list)

    def add(self, count: int) -> Sets:
        """A new set of that many channels."""
        self.sizes.append(count)
        self._joined.append(len(self._joined))
        return (len(self._joined) - 1,)

    def root(self, number: int) -> int:
        """The set that a set was joined to, itself if to none."""
        while self._joined[number] != number:
            number = self._joined[number]
        return number

    def fix(self, channels: Sets) -> None:
        """These channels must stay."""
        self.fixed.update(channels)

    def join(self, one: Sets, other: Sets) -> None:
        """Channel by channel these belong together; where they are cut into sets of other sizes all must stay."""
        if [self.sizes[number] for number in one] != [self.sizes[number] for number in other]:
            self.fix(one + other)
            return
        for a, b in zip(one, other):
            self._joined[self.root(b)] = self.root(a)

    def open_sets(self) -> list[int]:
        """The sets that may be pruned: their roots, in the order in which they are made."""
        closed = {self.root(number) for number in self.fixed}
        made = dict.fromkeys(self.root(number) for number, _, _ in self.filters)
        return [root for root in made if root not in closed and self.sizes[root] > 1]

    def use(self, key: str, axis: int, channels: Sets) -> None:
        """The channels lie along an axis of an array."""
        self.axes.setdefault(key, {})[axis] = channels

    def walk(self, part: Part, name: str, value: Value, kept: dict[str, Value] | None = None) -> list[Value]:
        """The values after each layer of a part's plan. Raises UserError for a layer that is not known here."""
        return _values(part.plan, _Place(self, part, name), value, "", dict(kept or {}))


@dataclass(frozen=True)
class _Place:
    """Where a walk is: in a part, under a name."""

    flow: Flow
    part: Part
    name: str

    def arrays(self, place: str, array: str) -> list[str]:
        """The keys of an array of the layer at a place, one for each branch of the part."""
        return [f"{key}.{array}" for key in self.part.keys(place)]


def _values(plan: Plan, at: _Place, value: Value, prefix: str, kept: dict[str, Value]) -> list[Value]:
    values = []
    for position, layer in enumerate(plan):
        before, place = value, f"{prefix}{position}"
        value = trace(layer, at, value, place, kept)
        at.flow.passed[at.name, place] = before.channels, value.channels
        values.append(value)
    return values


def _last(plan: Plan, at: _Place, value: Value, prefix: str, kept: dict[str, Value]) -> Value:
    return [value, *_values(plan, at, value, prefix, dict(kept))][-1]


@singledispatch
def trace(layer: Layer, at: _Place, value: Value, place: str, kept: dict[str, Value]) -> Value:
    """The value after a layer; what the layer does with channels is noted in the flow. Raises UserError."""
    raise UserError(f"compress prune: what becomes of channels in the layer {type(layer).__name__} is not known")


def _pass(layer: Layer, at: _Place, value: Value, place: str, kept: dict[str, Value]) -> Value:
    return Value(value.channels, *layer.size(value.height, value.width))


for _kind in (layers.Activation, layers.Dropout, layers.MaxPool, layers.AvgPool, layers.GlobalMean, layers.Upsample):
    trace.register(_kind, _pass)


def _multiply(layer, at: _Place, value: Value, place: str, inputs: int, outputs: int, count: int) -> Value:
    """A layer whose weight has its inputs along one axis and makes new channels along another."""
    made = at.flow.add(count)
    for key in at.arrays(place, "weight"):
        at.flow.use(key, inputs, value.channels)
        at.flow.use(key, outputs, made)
        at.flow.filters.append((made[0], key, outputs))
        at.flow.costs[key] = layer.cost(value.height, value.width)
    for key in at.arrays(place, "bias") if layer.bias else ():
        at.flow.use(key, 0, made)
    return Value(made, *layer.size(value.height, value.width))


@trace.register(layers.Conv)
def _(layer: layers.Conv, at: _Place, value: Value, place: str, kept: dict[str, Value]) -> Value:
    if layer.groups == 1:
        return _multiply(layer, at, value, place, 1, 0, layer.out_channels)
    if not layer.groups == layer.in_channels == layer.out_channels:  # groups of several channels
        at.flow.fix(value.channels)
        made = at.flow.add(layer.out_channels)
        at.flow.fix(made)
        return Value(made, *layer.size(value.height, value.width))
    for name in layer.arrays():
        for key in at.arrays(place, name):
            at.flow.use(key, 0, value.channels)
            at.flow.costs[key] = layer.cost(value.height, value.width) if name == "weight" else 0
    return _pass(layer, at, value, place, kept)


@trace.register(layers.ConvTranspose)
def _(layer: layers.ConvTranspose, at: _Place, value: Value, place: str, kept: dict[str, Value]) -> Value:
    return _multiply(layer, at, value, place, 0, 1, layer.out_channels)


@trace.register(layers.Linear)
def _(layer: layers.Linear, at: _Place, value: Value, place: str, kept: dict[str, Value]) -> Value:
    return _multiply(layer, at, value, place, 1, 0, layer.out_features)


@trace.register(layers.BatchNorm)
def _(layer: layers.BatchNorm, at: _Place, value: Value, place: str, kept: dict[str, Value]) -> Value:
    for name in layer.arrays():
        for key in at.arrays(place, name):
            at.flow.use(key, 0, value.channels)
    return value


@trace.register(layers.Block)
@trace.register(layers.Quantised)
def _(layer: layers.Block | layers.Quantised, at: _Place, value: Value, place: str, kept: dict[str, Value]) -> Value:
    return _last(layer.body, at, value, f"{place}.body.", kept)


@trace.register(layers.Residual)
def _(layer: layers.Residual, at: _Place, value: Value, place: str, kept: dict[str, Value]) -> Value:
    body, shortcut = (_last(plan, at, value, f"{place}.{name}.", kept) for name, plan in layer.children().items())
    at.flow.join(body.channels, shortcut.channels)
    return body


@trace.register(layers.Gate)
def _(layer: layers.Gate, at: _Place, value: Value, place: str, kept: dict[str, Value]) -> Value:
    at.flow.join(value.channels, _last(layer.body, at, value, f"{place}.body.", kept).channels)
    return value


@trace.register(layers.Keep)
def _(layer: layers.Keep, at: _Place, value: Value, place: str, kept: dict[str, Value]) -> Value:
    kept[layer.name] = value
    return value


@trace.register(layers.Recall)
def _(layer: layers.Recall, at: _Place, value: Value, place: str, kept: dict[str, Value]) -> Value:
    return recall(kept, layer.name)


@trace.register(layers.Add)
def _(layer: layers.Add, at: _Place, value: Value, place: str, kept: dict[str, Value]) -> Value:
    at.flow.join(value.channels, recall(kept, layer.name).channels)
    return value


@trace.register(layers.Concat)
def _(layer: layers.Concat, at: _Place, value: Value, place: str, kept: dict[str, Value]) -> Value:
    others = [recall(kept, name).channels for name in layer.names]
    return value._replace(channels=sum(others, value.channels))


@singledispatch
def resize(layer: Layer, before: int, after: int) -> Layer:
    """The same layer for that many channels before it and after it."""
    return layer


@resize.register(layers.Conv)
def _(layer: layers.Conv, before: int, after: int) -> Layer:
    groups = after if layer.groups == layer.in_channels == layer.out_channels != 1 else layer.groups
    return replace(layer, in_channels=before, out_channels=after, groups=groups)


@resize.register(layers.ConvTranspose)
def _(layer: layers.ConvTranspose, before: int, after: int) -> Layer:
    return replace(layer, in_channels=before, out_channels=after)


@resize.register(layers.Linear)
def _(layer: layers.Linear, before: int, after: int) -> Layer:
    return replace(layer, in_features=before, out_features=after)


@resize.register(layers.BatchNorm)
def _(layer: layers.BatchNorm, before: int, after: int) -> Layer:
    return replace(layer, features=after)


Kept = dict[int, np.ndarray]
"""Which channels of a set stay, ascending; all of a set that is not there."""


def positions(flow: Flow, channels: Sets, kept: Kept) -> np.ndarray:
    """Which of the channels of a value stay, by their place in it."""
    found, start = [], 0
    for number in channels:
        size = flow.sizes[number]
        found.append(start + np.asarray(kept.get(flow.root(number), np.arange(size))))
        start += size
    return np.concatenate(found)


def count(flow: Flow, channels: Sets, kept: Kept) -> int:
    """How many of the channels of a value stay."""
    return sum(len(kept[root]) if (root := flow.root(number)) in kept else flow.sizes[number] for number in channels)


def cost_of(flow: Flow, arrays: dict[str, np.ndarray], kept: Kept) -> int:
    """Multiply-adds of all that was walked through, of what stays."""
    total = 0.0
    for key, cost in flow.costs.items():
        shape = np.shape(arrays[key])
        shares = [count(flow, channels, kept) / shape[axis] for axis, channels in flow.axes[key].items()]
        total += cost * np.prod(shares)
    return round(total)
