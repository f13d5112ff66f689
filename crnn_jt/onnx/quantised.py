"""Layers whose products have 8 bits as QuantizeLinear and DequantizeLinear (QDQ), the form that runtimes take apart.

Weights are int8 constants with a scale for each output channel, into which the normalisation after a convolution goes;
a bias is int32 in the products' own steps. ONNX's integers begin at -128, ours at -127: what comes in is clipped first
where it can be negative. ReLU and pooling give the same before and after rounding: they stand after it, on integers, so
that a convolution's sums are rounded where they are made. Recurrent layers keep float weights, on the numbers that 8
bits can hold: ONNX Runtime has no LSTM that takes others.
"""

from __future__ import annotations

from collections import ChainMap
from functools import singledispatch

import numpy as np

from crnn_jt.freeze.images import scale_and_shift
from crnn_jt.layers import Conv, ConvTranspose, Layer, Quantised
from crnn_jt.layers.quantised import LEAST, STEPS
from crnn_jt.onnx.graph import Graph
from crnn_jt.onnx.nodes import node_of, stack, takes_norms, window, window_of_conv
from crnn_jt.rounding import restore_weights, round_weights

ZERO = np.uint8(128)
"""The byte that is level zero: ONNX Runtime has products of unsigned bytes by signed ones on x86."""
LARGEST = 2**31 - 128
"""Of a bias in steps: float32 holds it, 32 bits too."""


@node_of.register(Quantised)
def _(layer: Quantised, graph: Graph, value: str, key: str, kept: dict[str, str]) -> str:
    reach = np.maximum(np.float32(graph.state[f"{key}.range"]).reshape(()), np.float32(LEAST))
    bound = np.minimum(reach, np.float32(graph.state[f"{key}.clip"]).reshape(()))
    step = reach / np.float32(STEPS)
    value = _round(graph, value, step, bound if bound < reach else None, bound)
    return product_of(layer.body[0], graph, value, key, kept, step)


@takes_norms.register(Quantised)
def _(layer: Quantised) -> bool:
    return product_of.dispatch(type(layer.body[0])) is not product_of.dispatch(object)


@singledispatch
def product_of(layer: Layer, graph: Graph, value: str, own: str, kept: dict[str, str], step: np.float32) -> str:
    """The node of the layer inside of the layer in 8 bits `own`, of what is rounded to `step`."""
    prefix, outside = f"{own}.body.", graph.state
    if layer.recurrent:
        names = {f"{prefix}0.{name}": axis for name, axis in layer.products.items()}
        rounded = {name: restore_weights(*round_weights(outside[name], axis)) for name, axis in names.items()}
        graph.state = ChainMap(rounded, outside)
    else:
        _add_weights(layer, graph, f"{prefix}0")
    try:
        return stack(graph, (layer,), value, prefix, kept)
    finally:
        graph.state = outside


@product_of.register(Conv)
def _(layer: Conv, graph: Graph, value: str, own: str, kept: dict[str, str], step: np.float32) -> str:
    inputs = _fold(layer, graph, own, step)
    return graph.node("Conv", value, *inputs, **window_of_conv(layer))


@product_of.register(ConvTranspose)
def _(layer: ConvTranspose, graph: Graph, value: str, own: str, kept: dict[str, str], step: np.float32) -> str:
    return graph.node("ConvTranspose", value, *_fold(layer, graph, own, step), **window(layer))


def _round(graph: Graph, value: str, step: np.float32, cut: np.float32 | None, bound: np.float32) -> str:
    """A value rounded to multiples of `step`, floats; `cut` where integers alone would not bound it."""
    after, node = [], graph.maker(value)
    while node is not None and node.op_type in ("Relu", "MaxPool"):
        after.append(node)
        value = node.input[0]
        node = graph.maker(value)
    if cut is not None or not any(node.op_type == "Relu" for node in after):
        value = graph.node("Clip", value, graph.constant(-bound), graph.constant(bound))
    scale, zero = graph.constant(step), graph.constant(ZERO)
    value = graph.node("QuantizeLinear", value, scale, zero)
    for node in reversed(after):
        value = graph.node("Clip", value, zero) if node.op_type == "Relu" else graph.again(node, value)
    return graph.node("DequantizeLinear", value, scale, zero)


def _fold(layer: Layer, graph: Graph, own: str, step: np.float32) -> tuple[str, str]:
    """Weight and bias of a convolution in 8 bits, with the normalisation after it."""
    key, axis = f"{own}.body.0", layer.products["weight"]
    integers, scale = round_weights(graph.state[f"{key}.weight"], axis)
    scale = np.broadcast_to(np.asarray(scale, np.float64).reshape(-1), integers.shape[axis])
    bias = np.asarray(graph.state[f"{key}.bias"], np.float64) if layer.bias else np.zeros(len(scale))
    if own in graph.norms:
        factor, shift = scale_and_shift(graph.norms[own][0], graph.state, graph.norms[own][1])
        spread = [-1 if each == axis else 1 for each in range(integers.ndim)]
        integers = integers * np.where(factor < 0, -1, 1).astype(np.int8).reshape(spread)
        scale, bias = scale * np.abs(factor), bias * factor + shift
    scale = np.maximum(np.float32(scale), np.float32(1e-30))
    weight = _restore(graph, integers, scale, axis, f"{key}.weight")
    return weight, _add_bias(graph, bias, scale * step, f"{key}.bias")


def _restore(graph: Graph, integers: np.ndarray, scale: np.ndarray, axis: int, key: str) -> str:
    """Weights from integers and a scale for each output channel. Their zeros are said, though 0 is the default: without
    VNNI ONNX Runtime is asked to make them unsigned (`export.session_options`), and gets it wrong where they are not.
    """
    arrays = {"int8": integers, "scale": scale, "zero": np.zeros(len(scale), np.int8)}
    names = [graph.constant(array, f"{key}.{name}") for name, array in arrays.items()]
    return graph.node("DequantizeLinear", *names, axis=axis)


def _add_bias(graph: Graph, bias: np.ndarray, step: np.ndarray, key: str) -> str:
    """A bias in steps of the products, int32 as runtimes want it; as it is where those are too fine."""
    steps = np.rint(bias / np.asarray(step, np.float64))
    if np.abs(steps).max() > LARGEST:
        return graph.constant(np.float32(bias), key)
    names = graph.constant(np.int32(steps), f"{key}.int32"), graph.constant(step, f"{key}.scale")
    return graph.node("DequantizeLinear", *names, axis=0)


def _add_weights(layer: Layer, graph: Graph, key: str) -> None:
    """The layer's weights as integers, in the place of those that its own node asks for; products of a matrix, which
    its node takes as (in, out), are turned.
    """
    for name, axis in layer.products.items():
        integers, scale = round_weights(graph.state[f"{key}.{name}"], axis)
        asked = f"{key}.{name}"
        if integers.ndim == 2:
            integers, axis, asked = integers.T, 1 - axis, f"{asked}.transposed"
        graph.stand_in(asked, _restore(graph, integers, scale.reshape(-1), axis, asked))
