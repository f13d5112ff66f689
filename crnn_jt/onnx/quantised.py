"""Layers whose products have 8 bits as QuantizeLinear and DequantizeLinear (QDQ), the form that runtimes take apart.

Weights are int8 constants with a scale for each output channel. ONNX's integers begin at -128, ours at -127: what comes
in is clipped first. Recurrent layers keep float weights, on the numbers that 8 bits can hold: ONNX Runtime has no LSTM
that takes others.
"""

from __future__ import annotations

from collections import ChainMap

import numpy as np

from crnn_jt.layers import Layer, Quantised
from crnn_jt.layers.quantised import STEPS
from crnn_jt.onnx.graph import Graph
from crnn_jt.onnx.nodes import node_of, stack
from crnn_jt.rounding import restore_weights, round_weights


@node_of.register(Quantised)
def _(layer: Quantised, graph: Graph, value: str, key: str, kept: dict[str, str]) -> str:
    reach = np.maximum(np.float32(graph.state[f"{key}.range"]).reshape(()), np.float32(1e-8))
    bound = np.minimum(reach, np.float32(graph.state[f"{key}.clip"]).reshape(()))
    value = graph.node("Clip", value, graph.constant(-bound), graph.constant(bound))
    scale, zero = graph.constant(reach / np.float32(STEPS)), graph.constant(np.int8(0))
    value = graph.node("DequantizeLinear", graph.node("QuantizeLinear", value, scale, zero), scale, zero)
    (inner,), prefix = layer.body, f"{key}.body."
    outside = graph.state
    if inner.recurrent:
        names = {f"{prefix}0.{name}": axis for name, axis in inner.products.items()}
        rounded = {name: restore_weights(*round_weights(outside[name], axis)) for name, axis in names.items()}
        graph.state = ChainMap(rounded, outside)
    else:
        _add_weights(inner, graph, f"{prefix}0")
    try:
        return stack(graph, layer.body, value, prefix, kept)
    finally:
        graph.state = outside


def _add_weights(layer: Layer, graph: Graph, key: str) -> None:
    """The layer's weights as integers, in the place of those that its own node asks for; products of a matrix, which
    its node takes as (in, out), are turned.
    """
    for name, axis in layer.products.items():
        integers, scale = round_weights(graph.state[f"{key}.{name}"], axis)
        asked = f"{key}.{name}"
        if integers.ndim == 2:
            integers, axis, asked = integers.T, 1 - axis, f"{asked}.transposed"
        names = graph.constant(integers, f"{asked}.int8"), graph.constant(scale.reshape(-1), f"{asked}.scale")
        graph.stand_in(asked, graph.node("DequantizeLinear", *names, axis=axis))
