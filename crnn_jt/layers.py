"""Layers as data: what a stage is made of, said once and without a framework.

A stage that is a chain of layers keeps a *plan*, a tuple of the dataclasses below. From the same plan the backend
builds the module that trains (`stack.Stack`), `freeze` builds the fast one and the shapes are worked out before
anything is computed. Weights of the layer at position `i` of a plan live under the key `i` (`3.weight`), those inside
a residual unit under `i.body.j` and `i.shortcut.j`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Conv:
    """2-d convolution; keys `weight` (out, in, kh, kw) and, with `bias`, `bias` (out,)."""

    in_channels: int
    out_channels: int
    kernel: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (1, 1)
    bias: bool = True


@dataclass(frozen=True)
class Norm:
    """2-d batch normalisation; keys `weight`, `bias`, `running_mean`, `running_var`, each (channels,)."""

    channels: int
    eps: float = 1e-5


@dataclass(frozen=True)
class Activation:
    """An elementwise function without weights: `relu` or `hardswish`."""

    kind: str = "relu"


@dataclass(frozen=True)
class MaxPool:
    """2-d max pooling; padded places never win."""

    kernel: tuple[int, int] = (2, 2)
    stride: tuple[int, int] = (2, 2)
    padding: tuple[int, int] = (0, 0)


NO_POOL = MaxPool((1, 1), (1, 1))


@dataclass(frozen=True)
class Residual:
    """`body(x) + shortcut(x)`; an empty shortcut is the identity. Neither branch may pool or change the step count
    alone.
    """

    body: tuple[Layer, ...]
    shortcut: tuple[Layer, ...] = ()


@dataclass(frozen=True)
class Linear:
    """A linear layer on the last axis; keys `weight` (out, in) and `bias` (out,)."""

    in_features: int
    out_features: int


@dataclass(frozen=True)
class BiLSTM:
    """One bidirectional LSTM layer, (T, N, in) -> (T, N, 2·hidden), gates i, f, g, o.

    Keys `weight_ih_l0` (4·hidden, in), `weight_hh_l0` (4·hidden, hidden), `bias_ih_l0`, `bias_hh_l0` (4·hidden,) and
    the same with `_reverse`: the layout of PyTorch's and Jittor's `nn.LSTM`.
    """

    in_features: int
    hidden: int


@dataclass(frozen=True)
class Context:
    """Each step beside the whole: its features, then the largest value of each over all steps; (T, N, C) ->
    (T, N, 2C). After Han et al., "ContextNet", 2020, which takes the mean where this takes the largest.
    """

    features: int


@dataclass(frozen=True)
class Dropout:
    """Drops features while training; nothing at all when reading."""

    rate: float


@dataclass(frozen=True)
class Unit:
    """Where a convolution, the norm behind it and the pooling behind their ReLU stand in a plan; -1: there is none."""

    conv: int
    norm: int
    pool: int


Layer = Conv | Norm | Activation | MaxPool | Residual | Linear | BiLSTM | Context | Dropout
Plan = tuple[Layer, ...]


def conv_units(plan: Plan) -> tuple[Unit, ...]:
    """A plan of nothing but convolutions, each perhaps with a norm, then ReLU, perhaps pooling; () for any other."""
    units, position = [], 0
    while position < len(plan):
        conv, norm, pool, position = position, -1, -1, position + 1
        if position < len(plan) and isinstance(plan[position], Norm):
            norm, position = position, position + 1
        if not isinstance(plan[conv], Conv) or plan[position : position + 1] != (Activation("relu"),):
            return ()
        position += 1
        if position < len(plan) and isinstance(plan[position], MaxPool):
            pool, position = position, position + 1
        units.append(Unit(conv, norm, pool))
    return tuple(units)


def window_out(size, kernel: int, stride: int, padding: int):
    """How many windows fit along one axis; `size` an int or an integer array."""
    return (size + 2 * padding - kernel) // stride + 1


def out_shape(plan: Plan, height, width) -> tuple:
    """(height, width) behind a plan of image layers; either may be an integer array (the widths of a batch)."""
    for layer in plan:
        if isinstance(layer, Conv | MaxPool):
            height = window_out(height, layer.kernel[0], layer.stride[0], layer.padding[0])
            width = window_out(width, layer.kernel[1], layer.stride[1], layer.padding[1])
        elif isinstance(layer, Residual):
            height, width = out_shape(layer.body, height, width)
    return height, width


def out_channels(plan: Plan, channels: int) -> int:
    """Channels (or features) behind a plan."""
    for layer in plan:
        if isinstance(layer, Conv):
            channels = layer.out_channels
        elif isinstance(layer, Residual):
            channels = out_channels(layer.body, channels)
        elif isinstance(layer, Linear):
            channels = layer.out_features
        elif isinstance(layer, BiLSTM):
            channels = 2 * layer.hidden
        elif isinstance(layer, Context):
            channels = 2 * layer.features
    return channels


def walk(plan: Plan, prefix: str = "") -> Iterator[tuple[str, Layer]]:
    """Every layer that may hold weights, with its key prefix, in the order of computation."""
    for position, layer in enumerate(plan):
        key = f"{prefix}{position}"
        if isinstance(layer, Residual):
            yield from walk(layer.body, f"{key}.body.")
            yield from walk(layer.shortcut, f"{key}.shortcut.")
        else:
            yield key, layer
