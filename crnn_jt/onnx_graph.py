"""Plans (`layers.py`) and decoders as nodes of an ONNX graph; numpy and the `onnx` package, no framework.

Operators are those of opset 17, which every runtime of recent years knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from crnn_jt.layers import Activation, BiLSTM, Context, Conv, Dropout, Linear, MaxPool, Norm, Plan, Residual
from data_tools.errors import UserError

OPSET, IR = 17, 8
ACTIVATIONS = {"relu": "Relu", "hardswish": "HardSwish"}
END = 0

State = Mapping[str, np.ndarray]


class Graph:
    """Nodes and constants as they are added; values are known by name. `state` holds the weights by their keys."""

    def __init__(self, state: State):
        self.state = state
        self.nodes: list = []
        self.constants: list = []
        self._known: dict[tuple, str] = {}
        self._count = 0

    def node(self, kind: str, *inputs: str, **attributes) -> str:
        """Adds a node; returns the name of its first output."""
        return self.nodes_of(kind, 1, *inputs, **attributes)[0]

    def nodes_of(self, kind: str, outputs: int, *inputs: str, **attributes) -> list[str]:
        """Adds a node with several outputs; returns their names."""
        names = [self.fresh(kind.lower()) for _ in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, **attributes))
        return names

    def fresh(self, stem: str) -> str:
        """A name that is not taken."""
        self._count += 1
        return f"{stem}_{self._count}"

    def constant(self, values: np.ndarray, name: str | None = None) -> str:
        """Adds an array, or finds the small one that is there already; returns its name."""
        values = np.asarray(values, order="C")
        key = (values.dtype.str, values.shape, values.tobytes()) if name is None else (name,)
        if key not in self._known:
            self._known[key] = name or self.fresh("constant")
            self.constants.append(numpy_helper.from_array(values, self._known[key]))
        return self._known[key]

    def integers(self, *values: int) -> str:
        """A constant of int64, one axis."""
        return self.constant(np.array(values, np.int64))

    def weight(self, key: str) -> str:
        """The array of the state at `key` as a constant of that name."""
        return self.constant(np.asarray(self.state[key], np.float32), key)

    @contextmanager
    def body(self):
        """Inside, nodes go to the list that is yielded: the inside of a loop, which sees all values outside."""
        outside, self.nodes = self.nodes, []
        try:
            yield self.nodes
        finally:
            self.nodes = outside

    def linear(self, value: str, key: str) -> str:
        """x · weightᵀ + bias on the last axis; the bias may miss."""
        product = self.node("MatMul", value, self.transposed(f"{key}.weight"))
        return self.node("Add", product, self.weight(f"{key}.bias")) if f"{key}.bias" in self.state else product

    def transposed(self, key: str) -> str:
        """The weight (out, in) at `key` as (in, out)."""
        return self.constant(np.asarray(self.state[key], np.float32).T, f"{key}.transposed")


def stack(graph: Graph, plan: Plan, value: str, prefix: str) -> str:
    """Adds the layers of a plan, applied to `value`; weights under `prefix`. Raises UserError for an unknown layer."""
    for position, layer in enumerate(plan):
        value = one(graph, layer, value, f"{prefix}{position}")
    return value


def one(graph: Graph, layer, value: str, key: str) -> str:
    """Adds a layer, its weights under `key`. Raises UserError for one that has no ONNX form here."""
    if isinstance(layer, Conv):
        weights = [graph.weight(f"{key}.{name}") for name in (("weight", "bias") if layer.bias else ("weight",))]
        return graph.node("Conv", value, *weights, **_window(layer))
    if isinstance(layer, Norm):
        weights = [graph.weight(f"{key}.{name}") for name in ("weight", "bias", "running_mean", "running_var")]
        return graph.node("BatchNormalization", value, *weights, epsilon=layer.eps)
    if isinstance(layer, Activation) and layer.kind in ACTIVATIONS:
        return graph.node(ACTIVATIONS[layer.kind], value)
    if isinstance(layer, MaxPool):
        return graph.node("MaxPool", value, **_window(layer))
    if isinstance(layer, Residual):
        body = stack(graph, layer.body, value, f"{key}.body.")
        return graph.node("Add", body, stack(graph, layer.shortcut, value, f"{key}.shortcut."))
    if isinstance(layer, Linear):
        return graph.linear(value, key)
    if isinstance(layer, BiLSTM):
        return bilstm(graph, value, key)
    if isinstance(layer, Context):
        largest = graph.node("ReduceMax", value, axes=[0], keepdims=1)
        return graph.node("Concat", value, graph.node("Expand", largest, graph.node("Shape", value)), axis=2)
    if isinstance(layer, Dropout):
        return value
    raise UserError(f"--format onnx: nobody has said yet how to write {layer} in ONNX")


def _window(layer: Conv | MaxPool) -> dict[str, list[int]]:
    return {"kernel_shape": [*layer.kernel], "strides": [*layer.stride], "pads": [*layer.padding, *layer.padding]}


def bilstm(graph: Graph, value: str, key: str) -> str:
    """(T, N, in) -> (T, N, 2·hidden). ONNX orders the gates i, o, f, c where the weights have i, f, g, o."""
    ends = ("", "_reverse")
    arrays = {
        "W": [_reordered(graph.state[f"{key}.weight_ih_l0{end}"]) for end in ends],
        "R": [_reordered(graph.state[f"{key}.weight_hh_l0{end}"]) for end in ends],
        "B": [
            np.concatenate([_reordered(graph.state[f"{key}.bias_{part}_l0{end}"]) for part in ("ih", "hh")])
            for end in ends
        ],
    }
    names = [graph.constant(np.stack(pair), f"{key}.{letter}") for letter, pair in arrays.items()]
    hidden = graph.state[f"{key}.weight_hh_l0"].shape[1]
    both = graph.node("LSTM", value, *names, direction="bidirectional", hidden_size=hidden)  # (T, 2, N, H)
    turned = graph.node("Transpose", both, perm=[0, 2, 1, 3])  # (T, N, 2, H)
    return graph.node("Reshape", turned, graph.integers(0, 0, 2 * hidden))


def _reordered(gates: np.ndarray) -> np.ndarray:
    i, f, g, o = np.split(np.asarray(gates, np.float32), 4)
    return np.concatenate([i, o, f, g])


def to_sequence(graph: Graph, features: str, axis: str, size: int) -> str:
    """(N, C, H, W) -> (T, N, `size`): columns give T = W, channels T = C."""
    order = [1, 0, 2, 3] if axis == "channels" else [3, 0, 1, 2]
    return graph.node("Reshape", graph.node("Transpose", features, perm=order), graph.integers(0, 0, size))


def attention(graph: Graph, sequence: str, max_length: int) -> str:
    """The attention decoder's free run, (T, N, C) -> logits (T', N, K)."""
    keys = graph.linear(sequence, "generator.keys")  # (T, N, A)
    zero = _zeros(graph, sequence, _hidden(graph))

    def step(h: str, c: str, symbols: str) -> tuple[str, str, str]:
        query = graph.node("Unsqueeze", graph.linear(h, "generator.query"), graph.integers(0))
        energy = graph.linear(graph.node("Tanh", graph.node("Add", keys, query)), "generator.energy")  # (T, N, 1)
        weighted = graph.node("Mul", graph.node("Softmax", energy, axis=0), sequence)
        context = graph.node("ReduceSum", weighted, graph.integers(0), keepdims=0)  # (N, C)
        h, c = _cell(graph, graph.node("Concat", symbols, context, axis=1), h, c)
        return graph.linear(graph.node("Concat", h, context, axis=1), "generator.head"), h, c

    return _free_run(graph, step, zero, zero, max_length)


def encoder_decoder(graph: Graph, sequence: str, max_length: int) -> str:
    """The encoder-decoder's free run, (T, N, C) -> logits (T', N, K)."""
    hidden = _hidden(graph)
    encoded = bilstm(graph, sequence, "generator.encoder")  # (T, N, 2H)
    last, first = graph.node("Gather", encoded, _scalar(graph, -1)), graph.node("Gather", encoded, _scalar(graph, 0))
    forward = graph.node("Slice", last, graph.integers(0), graph.integers(hidden), graph.integers(1))
    backward = graph.node("Slice", first, graph.integers(hidden), graph.integers(2 * hidden), graph.integers(1))
    memory = graph.node("Concat", forward, backward, axis=1)  # (N, 2H)
    state = graph.node("Tanh", graph.linear(memory, "generator.bridge"))
    h, c = graph.nodes_of("Split", 2, state, graph.integers(hidden, hidden), axis=1)

    def step(h: str, c: str, symbols: str) -> tuple[str, str, str]:
        h, c = _cell(graph, graph.node("Concat", symbols, memory, axis=1), h, c)
        return graph.linear(h, "generator.head"), h, c

    return _free_run(graph, step, h, c, max_length)


DECODERS = {"attention": attention, "encoder_decoder": encoder_decoder}


def _hidden(graph: Graph) -> int:
    return graph.state["generator.cell.weight_hh"].shape[1]


def _scalar(graph: Graph, value: int) -> str:
    return graph.constant(np.array(value, np.int64))


def _zeros(graph: Graph, sequence: str, size: int) -> str:
    """Zeros (N, size) for a sequence (T, N, C)."""
    batch = graph.node("Slice", graph.node("Shape", sequence), graph.integers(1), graph.integers(2))
    shape = graph.node("Concat", batch, graph.integers(size), axis=0)
    return graph.node("ConstantOfShape", shape, value=numpy_helper.from_array(np.zeros(1, np.float32)))


def _cell(graph: Graph, x: str, h: str, c: str) -> tuple[str, str]:
    """An LSTM cell with gates i, f, g, o."""
    key = "generator.cell"
    bias = np.asarray(graph.state[f"{key}.bias_ih"] + graph.state[f"{key}.bias_hh"], np.float32)
    products = [graph.node("MatMul", v, graph.transposed(f"{key}.weight_{end}")) for v, end in ((x, "ih"), (h, "hh"))]
    gates = graph.node("Add", graph.node("Add", *products), graph.constant(bias, f"{key}.bias"))
    i, f, g, o = graph.nodes_of("Split", 4, gates, graph.integers(*[len(bias) // 4] * 4), axis=1)
    i, f, o = (graph.node("Sigmoid", gate) for gate in (i, f, o))
    kept = graph.node("Mul", f, c)
    c = graph.node("Add", kept, graph.node("Mul", i, graph.node("Tanh", g)))
    return graph.node("Mul", o, graph.node("Tanh", c)), c


def _free_run(graph: Graph, step, h: str, c: str, max_length: int) -> str:
    """A loop that feeds each step the likeliest symbol of the one before, until every image has had its end symbol or
    `max_length` + 1 steps are done; its logits, (T', N, K). `step(h, c, symbols)` adds the nodes of one step.
    """
    start = len(graph.state["generator.embedding.weight"]) - 1  # the last row stands for "nothing yet"
    batch = graph.node("Slice", graph.node("Shape", h), graph.integers(0), graph.integers(1))
    symbols = graph.node("ConstantOfShape", batch, value=numpy_helper.from_array(np.array([start], np.int64)))
    ended = graph.node("ConstantOfShape", batch, value=numpy_helper.from_array(np.zeros(1, bool)))
    inside = {name: graph.fresh(name) for name in ("symbols", "ended", "h", "c")}
    with graph.body() as nodes:
        embedded = graph.node("Gather", graph.weight("generator.embedding.weight"), inside["symbols"])
        logits, new_h, new_c = step(inside["h"], inside["c"], embedded)
        chosen = graph.node("ArgMax", logits, axis=1, keepdims=0)
        over = graph.node("Or", inside["ended"], graph.node("Equal", chosen, _scalar(graph, END)))
        going = graph.node("ReduceMin", graph.node("Cast", over, to=TensorProto.INT32), keepdims=0)
        going = graph.node("Not", graph.node("Cast", going, to=TensorProto.BOOL))
    count, before = graph.fresh("step"), graph.fresh("going")
    given = [_info(count, TensorProto.INT64, ()), _info(before, TensorProto.BOOL, ())]
    given += _carried(*inside.values(), _hidden(graph))
    made = [_info(going, TensorProto.BOOL, ()), *_carried(chosen, over, new_h, new_c, _hidden(graph))]
    body = helper.make_graph(nodes, "symbol", given, [*made, _info(logits, TensorProto.FLOAT, ("batch", start))])
    limits = _scalar(graph, max_length + 1), graph.constant(np.array(True))
    return graph.nodes_of("Loop", 5, *limits, symbols, ended, h, c, body=body)[4]


def _carried(symbols: str, ended: str, h: str, c: str, hidden: int) -> list:
    """What goes from step to step."""
    kinds = ((symbols, TensorProto.INT64, ()), (ended, TensorProto.BOOL, ()))
    kinds += ((h, TensorProto.FLOAT, (hidden,)), (c, TensorProto.FLOAT, (hidden,)))
    return [_info(name, kind, ("batch", *rest)) for name, kind, rest in kinds]


def _info(name: str, kind: int, shape: tuple):
    return helper.make_tensor_value_info(name, kind, shape)
