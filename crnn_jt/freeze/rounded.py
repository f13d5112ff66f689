"""Layers whose products have 8 bits.

Convolutions and linear layers multiply integers, and what goes from one to the next is rounded once, when it is
written. Transposed convolutions multiply floats that hold what 8 bits can: the same numbers.
"""

from __future__ import annotations

from collections import ChainMap
from dataclasses import replace
from functools import singledispatch

import numpy as np

from crnn_jt.backend.fast.int8_layers import FLOATS, Levels
from crnn_jt.backend.fast.network import Network
from crnn_jt.freeze.errors import NotCovered
from crnn_jt.freeze.groups import Group, is_depthwise
from crnn_jt.freeze.images import Images, State, Tail, emit, scale_and_shift, spread
from crnn_jt.freeze.levels import levels_of
from crnn_jt.freeze.places import PIXEL
from crnn_jt.freeze.steps import LSTM_ENDS, emit_steps
from crnn_jt.layers import BiLSTM, Layer, Linear, Quantised
from crnn_jt.rounding import restore_weights, round_weights


@emit.register(Quantised)
def _(layer: Quantised, images: Images, group: Group, source: int, busy: tuple[int, ...], tail: Tail) -> int:
    comes, (inner,) = levels_of(images.state, group.key), layer.body
    if not group.multiplies_levels:
        return _emit_floats(inner, images, group, source, busy, tail)
    target = images.unused(source, *busy)
    weight, scale, bias = _integers(inner, images.state, f"{group.key}.body.0")
    scale = scale * comes.step
    if group.norm is not None:
        factor, shift = scale_and_shift(group.norm, images.state, group.norm_key)
        scale, bias = scale * factor, bias * factor + shift
    window, weight = (PIXEL, weight) if weight.ndim == 2 else (inner.window, spread(inner, weight))
    goes = levels_of(images.state, group.reader) if group.reader else FLOATS
    addend, activation = images.follow(group, tail)
    if is_depthwise(inner):
        images.network.int8_depthwise(source, target, window, weight[:, 0], scale, bias, comes, goes, activation)
        return target
    weight = weight.reshape(*weight.shape[:2], *window[:2])
    images.network.int8_conv(
        source, target, window, weight, scale, bias, comes, goes, activation, group.pool.kernel, addend
    )
    return target


def _emit_floats(inner: Layer, images: Images, group: Group, source: int, busy: tuple[int, ...], tail: Tail) -> int:
    """The layer on floats, of a value and weights that are rounded."""
    rounded, key, state = images.unused(source, *busy), f"{group.key}.body.0", images.state
    images.network.round(source, rounded, levels_of(state, group.key))
    names = {f"{key}.{name}": axis for name, axis in inner.products.items()}
    weights = {name: restore_weights(*round_weights(state[name], axis)) for name, axis in names.items()}
    images.state = ChainMap(weights, state)
    try:
        return emit(inner, images, replace(group, layer=inner, key=key), rounded, busy, tail)
    finally:
        images.state = state


@emit_steps.register(Quantised)
def _(layer: Quantised, network: Network, state: State, prefix: str) -> None:
    emit_products(layer.body[0], network, state, f"{prefix}body.0", levels_of(state, prefix[:-1]))


@singledispatch
def emit_products(layer: Layer, network: Network, state: State, key: str, comes: Levels) -> None:
    """Adds a sequence layer, its products in 8 bits, of what is rounded to `comes`; its arrays are `{key}.{name}`."""
    raise NotCovered(f"{type(layer).__name__} in 8 bits among sequence layers")


@emit_products.register(Linear)
def _(layer: Linear, network: Network, state: State, key: str, comes: Levels) -> None:
    weight, scale, bias = _integers(layer, state, key)
    network.int8_linear(weight, scale * comes.step, bias, comes)


@emit_products.register(BiLSTM)
def _(layer: BiLSTM, network: Network, state: State, key: str, comes: Levels) -> None:
    (w_ih, ih_scale), (w_hh, hh_scale) = (_both_ways(state, f"{key}.{name}") for name in ("weight_ih", "weight_hh"))
    bias = np.stack([state[f"{key}.bias_ih{end}"] + state[f"{key}.bias_hh{end}"] for end in LSTM_ENDS])
    network.int8_bilstm(w_ih, ih_scale * comes.step, w_hh, hh_scale, bias, comes)


def _both_ways(state: State, key: str) -> tuple[np.ndarray, np.ndarray]:
    """A BiLSTM's weights of both directions as integers (2, 4·hidden, in), and their scales (2, 4·hidden) float64."""
    integers, scale = zip(*(round_weights(state[f"{key}{end}"], 0) for end in LSTM_ENDS))
    return np.stack(integers), np.float64(scale)[..., 0]


def _integers(layer: Layer, state: State, key: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights as integers (out, in, …), their scales and the bias, both (out,) float64."""
    integers, scale = round_weights(state[f"{key}.weight"], 0)
    bias = np.asarray(state[f"{key}.bias"], np.float64) if layer.bias else np.zeros(len(integers))
    return integers, np.float64(scale).reshape(-1), bias
