"""Freezing: a recogniser's layers, as its stages declare them, become one network on the CPU kernels.

Batch normalisation is folded into the convolution before it; bias, residual sum, activation and small poolings are
done while a convolution's outputs are still in registers. The frozen network is a copy: freeze again after the weights
change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from crnn_jt.backend import fast
from crnn_jt.backend.fast.network import ACTIVATIONS, Network
from crnn_jt.layers import Activation, BiLSTM, Context, Conv, Dropout, Linear, MaxPool, Norm, Plan, Residual, walk

State = Mapping[str, np.ndarray]
FUSED_POOLS = {(2, 2), (2, 1), (1, 2)}  # what a convolution can do on the way, on any kernel


class NotCovered(Exception):
    """The kernels do not know a layer; the message says which. The caller runs the plain network instead."""


@dataclass(frozen=True)
class Parts:
    """What is frozen. Its keys in the state are `extractor.stack.…`, `refiner.stack.…`, `generator.head.…`.

    Without a head the network ends with the refined sequence, for a decoder that goes on from there.
    """

    in_channels: int
    extractor: Plan
    refiner: Plan
    head: Linear | None
    sequence_axis: str = "columns"


def freeze_parts(parts: Parts, state: State, library=None) -> Network:
    """Network: images (N, C, H, W) of equal width -> logits (T, N, K), or without a head the sequence (T, N, D).

    Raises NotCovered for a layer that the kernels do not know and KeyError for missing weights.
    """
    if parts.sequence_axis != "columns":
        raise NotCovered(f"sequences along the {parts.sequence_axis}")
    network = Network(parts.in_channels, library)
    if library is None and not fast.available():
        raise NotCovered("a compiler that can build them (or CRNN_FAST=0 is set)")
    _check_activations(parts.extractor)
    _Images(network, state).emit(parts.extractor, 0, "extractor.stack.")
    for position, layer in enumerate(parts.refiner):
        _emit_sequence(network, layer, state, f"refiner.stack.{position}.")
    if parts.head is not None:
        _emit_sequence(network, parts.head, state, "generator.head.")
    return network


def _check_activations(plan: Plan) -> None:
    for _, layer in walk(plan):
        if isinstance(layer, Activation) and layer.kind not in ACTIVATIONS:
            raise NotCovered(f"the activation {layer.kind}")


@dataclass(frozen=True)
class _Tail:
    """What happens to the last output of a plan: + value `addend` (-1: nothing), then the activation."""

    addend: int = -1
    activation: str | None = None


class _Images:
    """Walks an image plan and adds its layers to a network. Values are numbered; free numbers are used again."""

    def __init__(self, network: Network, state: State):
        self.network, self.state = network, state

    def emit(self, plan: Plan, value: int, prefix: str, busy: tuple[int, ...] = (), tail: _Tail = _Tail()) -> int:
        """Adds the layers of `plan`, applied to `value`; the `busy` values survive. Returns the output's number."""
        pending = tail != _Tail()
        groups = _groups(plan)
        for number, (position, group) in enumerate(groups):
            absorbs = pending and number == len(groups) - 1 and all(isinstance(layer, Conv | Norm) for layer in group)
            absorbs = absorbs and isinstance(group[0], Conv)
            value = self._group(group, prefix, position, value, busy, tail if absorbs else _Tail())
            pending = pending and not absorbs
        if pending:
            source, value = value, _unused(value, *busy, tail.addend)
            self.network.add(source, value, tail.addend, tail.activation)
        return value

    def _group(self, group: Plan, prefix: str, position: int, source: int, busy: tuple[int, ...], tail: _Tail) -> int:
        first, key = group[0], f"{prefix}{position}"
        activation = next((layer.kind for layer in group if isinstance(layer, Activation)), None)
        if isinstance(first, Residual):
            return self._residual(first, f"{key}.", source, busy, activation)
        target = _unused(source, *busy, tail.addend)
        if isinstance(first, Conv):
            self._conv(group, prefix, position, source, target, tail)
        elif isinstance(first, Norm):
            scale, shift = _norm(first, self.state, key)
            self.network.affine(source, target, scale, shift, activation)
        elif isinstance(first, Activation):
            self.network.add(source, target, -1, activation)
        elif isinstance(first, MaxPool):
            self.network.pool(source, target, _window(first))
        else:
            raise NotCovered(f"{type(first).__name__} among image layers")
        return target

    def _conv(self, group: Plan, prefix: str, position: int, source: int, target: int, tail: _Tail) -> None:
        weight, bias = _conv_weights(group[0], self.state, f"{prefix}{position}")
        activation, pool = tail.activation, (1, 1)
        for offset, layer in enumerate(group):
            if isinstance(layer, Norm):
                scale, shift = _norm(layer, self.state, f"{prefix}{position + offset}")
                weight, bias = weight * scale[:, None, None, None], bias * scale + shift
            elif isinstance(layer, Activation):
                activation = layer.kind
            elif isinstance(layer, MaxPool):
                pool = layer.kernel
        self.network.conv(source, target, _window(group[0]), weight, bias, activation, pool, tail.addend)

    def _residual(self, unit: Residual, prefix: str, source: int, busy: tuple[int, ...], activation: str | None) -> int:
        shortcut = self.emit(unit.shortcut, source, f"{prefix}shortcut.", (source, *busy)) if unit.shortcut else source
        return self.emit(unit.body, source, f"{prefix}body.", (shortcut, *busy), _Tail(shortcut, activation))


def _groups(plan: Plan) -> list[tuple[int, Plan]]:
    """The plan cut into what one kernel does at once, each with its position; dropout is nothing when reading."""
    groups, position = [], 0
    while position < len(plan):
        size = _group_size(plan[position:])
        group = plan[position : position + size]
        if not isinstance(plan[position], Dropout):
            groups.append((position, group))
        position += size
        if position < len(plan) and isinstance(group[0], Conv) and isinstance(plan[position], MaxPool):
            down, along = _halves(plan[position])
            if _fuses(group, down):
                groups[-1:] = [(position - size, (*group, down)), (position, (along,))]
                position += 1
    return groups


def _halves(pool: MaxPool) -> tuple[MaxPool, MaxPool]:
    """The same pooling in two steps: down the columns, which a convolution may do on the way, then along the rows."""
    (height, width), (down, along), (top, side) = pool.kernel, pool.stride, pool.padding
    return MaxPool((height, 1), (down, 1), (top, 0)), MaxPool((1, width), (1, along), (0, side))


def _group_size(plan: Plan) -> int:
    """How many of the first layers go together: convolution, norm, activation, pooling; any but the first may miss."""
    kinds = {Conv: (Norm, Activation, MaxPool), Norm: (Activation,), Residual: (Activation,)}
    size = 1
    for kind in kinds.get(type(plan[0]), ()):
        if (
            size < len(plan)
            and isinstance(plan[size], kind)
            and not (kind is MaxPool and not _fuses(plan[:size], plan[size]))
        ):
            size += 1
    return size


def _fuses(group: Plan, pool: MaxPool) -> bool:
    """Whether the convolution before it can do a pooling.

    The kernels may pool before they activate, which hard swish, falling and rising, does not allow.
    """
    falls = any(isinstance(layer, Activation) and layer.kind != "relu" for layer in group)
    return pool.kernel in FUSED_POOLS and pool.stride == pool.kernel and pool.padding == (0, 0) and not falls


def _unused(*busy: int) -> int:
    return next(number for number in range(1, len(busy) + 2) if number not in busy)


def _window(layer: Conv | MaxPool) -> tuple[int, ...]:
    return (*layer.kernel, *layer.stride, *layer.padding)


def _conv_weights(layer: Conv, state: State, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Weight (out, in, kh, kw) and bias (out,) in float64, so that folding rounds once."""
    weight = np.asarray(state[f"{key}.weight"], np.float64)
    bias = np.asarray(state[f"{key}.bias"], np.float64) if layer.bias else np.zeros(layer.out_channels)
    return weight, bias


def _norm(layer: Norm, state: State, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Batch normalisation with its running statistics as (scale, shift), each (channels,), float64."""
    weight, bias, mean, variance = (
        np.asarray(state[f"{key}.{name}"], np.float64) for name in ("weight", "bias", "running_mean", "running_var")
    )
    scale = weight / np.sqrt(variance + layer.eps)
    return scale, bias - mean * scale


def _emit_sequence(network: Network, layer, state: State, prefix: str) -> None:
    if isinstance(layer, Linear):
        network.linear(state[f"{prefix}weight"], state[f"{prefix}bias"])
    elif isinstance(layer, BiLSTM):
        network.bilstm(
            *(
                np.stack([state[f"{prefix}{name}"], state[f"{prefix}{name}_reverse"]])
                for name in ("weight_ih_l0", "weight_hh_l0")
            ),
            np.stack(
                [state[f"{prefix}bias_ih_l0{end}"] + state[f"{prefix}bias_hh_l0{end}"] for end in ("", "_reverse")]
            ),
        )
    elif isinstance(layer, Context):
        network.context(layer.features)
    elif not isinstance(layer, Dropout):
        raise NotCovered(f"{type(layer).__name__} among sequence layers")
