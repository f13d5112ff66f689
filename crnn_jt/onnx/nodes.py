"""Plans (`layers`) as nodes of an ONNX graph, layer by layer; no framework."""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from crnn_jt.layers import (
    Activation,
    Add,
    AvgPool,
    BatchNorm,
    BiLSTM,
    Block,
    Concat,
    Conv,
    ConvTranspose,
    CrossAttention,
    Dropout,
    Gate,
    GlobalMaxContext,
    GlobalMean,
    Keep,
    Layer,
    LayerNorm,
    Linear,
    MaxPool,
    Plan,
    Positions,
    Recall,
    Residual,
    SelfAttention,
    Shuffle,
    Slice,
    Upsample,
    recall,
)
from crnn_jt.onnx.graph import Graph
from crnn_jt.sequences import Sequence
from data_tools.errors import UserError

LOWEST = -1e30  # a score that a softmax leaves nothing of
ACTIVATIONS = {"relu": "Relu", "hardswish": "HardSwish", "sigmoid": "Sigmoid"}


def stack(graph: Graph, plan: Plan, value: str, prefix: str, kept: dict[str, str] | None = None) -> str:
    """Adds the layers of a plan, applied to `value`; weights under `prefix`, kept values by name. Raises UserError for
    a layer without an ONNX form.
    """
    return [value, *values_of(graph, plan, value, prefix, kept)][-1]


def values_of(graph: Graph, plan: Plan, value: str, prefix: str, kept: dict[str, str] | None = None) -> list[str]:
    """As `stack`: what comes out of each layer."""
    kept, values, folded = dict(kept or {}), [], False
    for position, layer in enumerate(plan):
        key, after = f"{prefix}{position}", plan[position + 1 : position + 2]
        if not folded:
            folds = any(fold(other, graph, layer, key, f"{prefix}{position + 1}") for other in after)
            value, folded = node_of(layer, graph, value, key, kept), folds
        else:
            folded = False
        values.append(value)
    return values


@singledispatch
def fold(layer: Layer, graph: Graph, before: Layer, before_key: str, key: str) -> bool:
    """Whether a layer goes into the node of the one before it, which is then noted in the graph."""
    return False


@fold.register(BatchNorm)
def _(layer: BatchNorm, graph: Graph, before: Layer, before_key: str, key: str) -> bool:
    if takes_norms(before):
        graph.norms[before_key] = layer, key
    return before_key in graph.norms


@singledispatch
def takes_norms(layer: Layer) -> bool:
    """Whether a layer's node multiplies a normalisation into its weights: those of 8 bits, which runtimes otherwise do
    not fuse; the others they fold themselves.
    """
    return False


@singledispatch
def node_of(layer: Layer, graph: Graph, value: str, key: str, kept: dict[str, str]) -> str:
    """Adds a layer, its weights under `key`; returns the name of its output. Raises UserError for one that has no ONNX
    form here.
    """
    raise UserError(f"--format onnx: the layer {type(layer).__name__} has no ONNX form")


@node_of.register(Conv)
def _(layer: Conv, graph: Graph, value: str, key: str, kept: dict[str, str]) -> str:
    return graph.node("Conv", value, *_weights(layer, graph, key), **window_of_conv(layer))


@node_of.register(ConvTranspose)
def _(layer: ConvTranspose, graph: Graph, value: str, key: str, kept: dict[str, str]) -> str:
    return graph.node("ConvTranspose", value, *_weights(layer, graph, key), **window(layer))


@node_of.register(BatchNorm)
def _(layer: BatchNorm, graph: Graph, value: str, key: str, kept: dict[str, str]) -> str:
    return graph.node("BatchNormalization", value, *_weights(layer, graph, key), epsilon=layer.eps)


@node_of.register(LayerNorm)
def _(layer: LayerNorm, graph: Graph, value: str, key: str, kept: dict[str, str]) -> str:
    return graph.node("LayerNormalization", value, *_weights(layer, graph, key), axis=-1, epsilon=layer.eps)


@node_of.register(Activation)
def _(layer: Activation, graph: Graph, value: str, key: str, kept: dict[str, str]) -> str:
    if layer.kind in ACTIVATIONS:
        return graph.node(ACTIVATIONS[layer.kind], value)
    if layer.kind == "relu6":
        return graph.node("Clip", value, *(graph.constant(np.float32(end)) for end in (0, 6)))
    if layer.kind == "hardsigmoid":
        return graph.node("HardSigmoid", value, alpha=1 / 6, beta=0.5)
    if layer.kind == "gelu":  # x · (1 + erf(x / √2)) / 2; an operator of its own only from opset 20
        half, one, root = (graph.constant(np.float32(number)) for number in (0.5, 1, 2**-0.5))
        grown = graph.node("Add", graph.node("Erf", graph.node("Mul", value, root)), one)
        return graph.node("Mul", graph.node("Mul", value, grown), half)
    raise UserError(f"--format onnx: the layer Activation {layer.kind} has no ONNX form")


@node_of.register(MaxPool)
def _(layer: MaxPool, graph: Graph, value: str, key: str, kept: dict[str, str]) -> str:
    return graph.node("MaxPool", value, **window(layer))


@node_of.register(AvgPool)
def _(layer: AvgPool, graph: Graph, value: str, key: str, kept: dict[str, str]) -> str:
    pads = [*layer.padding, *layer.padding]  # which do not count, unless asked to
    return graph.node("AveragePool", value, kernel_shape=[*layer.kernel], strides=[*layer.apart], pads=pads)


@node_of.register(Slice)
def _(layer: Slice, graph: Graph, value: str, key: str, kept: dict[str, str]) -> str:
    first, last = graph.integers(layer.first), graph.integers(layer.first + layer.count)
    return graph.node("Slice", value, first, last, graph.integers(1))


@node_of.register(Shuffle)
def _(layer: Shuffle, graph: Graph, value: str, key: str, kept: dict[str, str]) -> str:
    grouped = graph.node("Reshape", value, graph.integers(0, layer.groups, layer.features // layer.groups, -1))
    dealt = graph.node("Transpose", grouped, perm=[0, 2, 1, 3])
    return graph.node("Reshape", dealt, graph.node("Shape", value))


@node_of.register(GlobalMean)
def _(layer: GlobalMean, graph: Graph, value: str, key: str, kept: dict[str, str]) -> str:
    return graph.node("GlobalAveragePool", value)


@node_of.register(Upsample)
def _(layer: Upsample, graph: Graph, value: str, key: str, kept: dict[str, str]) -> str:
    factors = graph.constant(np.float32([1, 1, *layer.factor]))
    how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return graph.node("Resize", value, "", factors, **how)


@node_of.register(Block)
def _(layer: Block, graph: Graph, value: str, key: str, kept: dict[str, str]) -> str:
    return stack(graph, layer.body, value, f"{key}.body.", kept)


@node_of.register(Residual)
def _(layer: Residual, graph: Graph, value: str, key: str, kept: dict[str, str]) -> str:
    body = stack(graph, layer.body, value, f"{key}.body.", kept)
    return graph.node("Add", body, stack(graph, layer.shortcut, value, f"{key}.shortcut.", kept))


@node_of.register(Gate)
def _(layer: Gate, graph: Graph, value: str, key: str, kept: dict[str, str]) -> str:
    return graph.node("Mul", value, stack(graph, layer.body, value, f"{key}.body.", kept))


@node_of.register(Keep)
def _(layer: Keep, graph: Graph, value: str, key: str, kept: dict[str, str]) -> str:
    kept[layer.name] = value
    return value


@node_of.register(Recall)
def _(layer: Recall, graph: Graph, value: str, key: str, kept: dict[str, str]) -> str:
    return recall(kept, layer.name)


@node_of.register(Add)
def _(layer: Add, graph: Graph, value: str, key: str, kept: dict[str, str]) -> str:
    return graph.node("Add", value, recall(kept, layer.name))


@node_of.register(Concat)
def _(layer: Concat, graph: Graph, value: str, key: str, kept: dict[str, str]) -> str:
    """Of maps, along their channels; sequences would need axis 2 (export compares, and writes no wrong file)."""
    return graph.node("Concat", value, *(recall(kept, name) for name in layer.names), axis=1)


@node_of.register(Linear)
def _(layer: Linear, graph: Graph, value: str, key: str, kept: dict[str, str]) -> str:
    return graph.linear(value, key)


@node_of.register(BiLSTM)
def _(layer: BiLSTM, graph: Graph, value: str, key: str, kept: dict[str, str]) -> str:
    return bilstm(graph, value, key)


@node_of.register(GlobalMaxContext)
def _(layer: GlobalMaxContext, graph: Graph, value: str, key: str, kept: dict[str, str]) -> str:
    largest = graph.node("ReduceMax", value, axes=[0], keepdims=1)
    return graph.node("Concat", value, graph.node("Expand", largest, graph.node("Shape", value)), axis=2)


@node_of.register(Dropout)
def _(layer: Dropout, graph: Graph, value: str, key: str, kept: dict[str, str]) -> str:
    return value


@node_of.register(Positions)
def _(layer: Positions, graph: Graph, value: str, key: str, kept: dict[str, str]) -> str:
    steps = graph.node("Slice", graph.node("Shape", value), graph.integers(0), graph.integers(1))
    rows = graph.node("Slice", graph.weight(f"{key}.table"), graph.integers(0), steps, graph.integers(0))  # (T, C)
    return graph.node("Add", value, graph.node("Unsqueeze", rows, graph.integers(1)))


@node_of.register(SelfAttention)
def _(layer: SelfAttention, graph: Graph, value: str, key: str, kept: dict[str, str]) -> str:
    return multi_head(graph, layer, value, value, key)


@node_of.register(CrossAttention)
def _(layer: CrossAttention, graph: Graph, value: str, key: str, kept: dict[str, str]) -> str:
    queries, memory = recall(kept, layer.queries) if layer.queries else value, recall(kept, layer.memory)
    return multi_head(graph, layer, queries, memory, key, _hidden(layer, graph, queries, memory, kept))


MEMORY_SIZES = "sizes of {}"
"""Under which name the sizes (N,) of a kept memory are kept, where not all of its steps count."""


def _hidden(layer: CrossAttention, graph: Graph, queries: str, memory: str, kept: dict[str, str]) -> str:
    """LOWEST where a query may not look, else 0, for scores (N, h, T, S); nothing where all may look everywhere."""
    found = []
    if layer.diagonal:
        own, others = (_count_up(graph, _step_count(graph, value)) for value in (queries, memory))
        same = graph.node("Equal", graph.node("Unsqueeze", own, graph.integers(1)), others)  # (T, S)
        found.append(_lowest(graph, same))
    sizes = kept.get(MEMORY_SIZES.format(layer.memory))
    if sizes is not None:
        steps = _step_count(graph, memory)
        found.append(hide(graph, steps, graph.node("Unsqueeze", sizes, graph.integers(1, 2, 3))))  # (N, 1, 1, S)
    return graph.node("Min", *found) if len(found) > 1 else "".join(found)


def hide(graph: Graph, steps: str, sizes: str) -> str:
    """LOWEST for the steps from each size on, else 0: sizes (…, 1) of `steps` (1,) -> (…, S)."""
    return _lowest(graph, graph.node("GreaterOrEqual", _count_up(graph, steps), sizes))


def _lowest(graph: Graph, hidden: str) -> str:
    return graph.node("Where", hidden, *(graph.constant(np.float32(number)) for number in (LOWEST, 0)))


def _step_count(graph: Graph, value: str) -> str:
    """How many steps a sequence (T, N, C) has, int64 (1,)."""
    return graph.node("Slice", graph.node("Shape", value), graph.integers(0), graph.integers(1))


def _count_up(graph: Graph, steps: str) -> str:
    """0, 1 … below a number int64 (1,)."""
    zero, one = (graph.constant(np.array(number, np.int64)) for number in (0, 1))
    return graph.node("Range", zero, graph.node("Squeeze", steps, graph.integers(0)), one)


def multi_head(
    graph: Graph, layer: SelfAttention | CrossAttention, queries: str, memory: str, key: str, hidden: str = ""
) -> str:
    """Attention of queries (T, N, C) to a memory (S, N, M): (T, N, C); `hidden` is added to the scores (N, h, T, S)."""
    heads, width = layer.heads, layer.features // layer.heads

    def split(name: str, value: str, order: list[int]) -> str:
        projected = graph.linear(value, f"{key}.{name}")
        return graph.node("Transpose", graph.node("Reshape", projected, graph.integers(0, 0, heads, width)), perm=order)

    query, keys = (
        split("query", queries, [1, 2, 0, 3]),
        split("key", memory, [1, 2, 3, 0]),
    )  # keys (N, h, d, S)
    scores = graph.node("Mul", graph.node("MatMul", query, keys), graph.constant(np.float32(width**-0.5)))
    scores = graph.node("Add", scores, hidden) if hidden else scores
    seen = graph.node("MatMul", graph.node("Softmax", scores, axis=3), split("value", memory, [1, 2, 0, 3]))
    turned = graph.node("Transpose", seen, perm=[2, 0, 1, 3])  # (T, N, h, d)
    return graph.linear(graph.node("Reshape", turned, graph.integers(0, 0, layer.features)), f"{key}.out")


def _weights(layer: Layer, graph: Graph, key: str) -> list[str]:
    """A layer's own arrays as constants, in the order in which it names them, which is ONNX's."""
    return [graph.weight(f"{key}.{name}") for name in layer.arrays()]


def window(layer: Conv | ConvTranspose | MaxPool) -> dict[str, list[int]]:
    return {"kernel_shape": [*layer.kernel], "strides": [*layer.stride], "pads": [*layer.padding, *layer.padding]}


def window_of_conv(layer: Conv) -> dict[str, int | list[int]]:
    """What a node of a convolution is told of it."""
    apart = {} if layer.dilation == (1, 1) else {"dilations": [*layer.dilation]}
    return {"group": layer.groups, **window(layer), **apart}


def bilstm(graph: Graph, value: str, key: str) -> str:
    """(T, N, in) -> (T, N, 2·hidden). ONNX orders the gates i, o, f, c where the weights have i, f, g, o."""
    ends = ("", "_reverse")
    arrays = {
        "W": [_reorder_gates(graph.state[f"{key}.weight_ih_l0{end}"]) for end in ends],
        "R": [_reorder_gates(graph.state[f"{key}.weight_hh_l0{end}"]) for end in ends],
        "B": [
            np.concatenate([_reorder_gates(graph.state[f"{key}.bias_{part}_l0{end}"]) for part in ("ih", "hh")])
            for end in ends
        ],
    }
    names = [graph.constant(np.stack(pair), f"{key}.{letter}") for letter, pair in arrays.items()]
    hidden = graph.state[f"{key}.weight_hh_l0"].shape[1]
    both = graph.node("LSTM", value, *names, direction="bidirectional", hidden_size=hidden)  # (T, 2, N, H)
    turned = graph.node("Transpose", both, perm=[0, 2, 1, 3])  # (T, N, 2, H)
    return graph.node("Reshape", turned, graph.integers(0, 0, 2 * hidden))


def _reorder_gates(gates: np.ndarray) -> np.ndarray:
    """Rows of the gates i, f, g, o in ONNX's order: i, o, f, c."""
    i, f, g, o = np.split(np.asarray(gates, np.float32), 4)
    return np.concatenate([i, o, f, g])


def to_sequence(graph: Graph, features: str, sequence: Sequence, channels: int, height: int, width: int) -> str:
    """(N, C, H, W) -> (T, N, D) as `sequence` says, for maps of this size; where the width is open, of any width."""
    # Reshape takes one axis as it was (0) or works one out (-1): steps and batch are kept where the width is the step;
    # elsewhere the steps are a number and the batch is worked out.
    size = sequence.features(channels, height, width)
    first = 0 if sequence.order[1] == 0 else sequence.steps(channels, height, width)  # 0: as many as before
    batch = 0 if sequence.order[1] == 0 else -1
    turned = graph.node("Transpose", features, perm=[*sequence.order])
    return graph.node("Reshape", turned, graph.integers(first, batch, size))
