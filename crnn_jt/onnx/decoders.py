"""The decoders' free runs as ONNX loops: each step is fed the likeliest symbol of the one before."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from crnn_jt.onnx.graph import Graph
from crnn_jt.onnx.nodes import bilstm

END = 0


def attention(graph: Graph, sequence: str, max_length: int) -> str:
    """The attention decoder's free run, (T, N, C) -> logits (T', N, K)."""
    keys = graph.linear(sequence, "generator.keys")  # (T, N, A)
    zero = _zeros(graph, sequence, _hidden(graph))
    gru = len(graph.state["generator.cell.weight_hh"]) == 3 * _hidden(graph)  # its c is carried along unchanged

    def step(h: str, c: str, symbols: str) -> tuple[str, str, str]:
        query = graph.node("Unsqueeze", graph.linear(h, "generator.query"), graph.integers(0))
        energy = graph.linear(graph.node("Tanh", graph.node("Add", keys, query)), "generator.energy")  # (T, N, 1)
        weighted = graph.node("Mul", graph.node("Softmax", energy, axis=0), sequence)
        context = graph.node("ReduceSum", weighted, graph.integers(0), keepdims=0)  # (N, C)
        seen = graph.node("Concat", symbols, context, axis=1)
        h, c = (_gru(graph, seen, h), c) if gru else _cell(graph, seen, h, c)
        return graph.linear(graph.node("Concat", h, context, axis=1), "generator.head"), h, c

    return _free_run(graph, step, zero, zero, max_length)


def encoder_decoder(graph: Graph, sequence: str, max_length: int) -> str:
    """The encoder-decoder's free run, (T, N, C) -> logits (T', N, K)."""
    hidden = _hidden(graph)
    # The forward direction has seen all at the last step, the backward direction at the first.
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
    products = [graph.node("MatMul", v, graph.transpose(f"{key}.weight_{end}")) for v, end in ((x, "ih"), (h, "hh"))]
    gates = graph.node("Add", graph.node("Add", *products), graph.constant(bias, f"{key}.bias"))
    i, f, g, o = graph.nodes_of("Split", 4, gates, graph.integers(*[len(bias) // 4] * 4), axis=1)
    i, f, o = (graph.node("Sigmoid", gate) for gate in (i, f, o))
    kept = graph.node("Mul", f, c)
    c = graph.node("Add", kept, graph.node("Mul", i, graph.node("Tanh", g)))
    return graph.node("Mul", o, graph.node("Tanh", c)), c


def _gru(graph: Graph, x: str, h: str) -> str:
    """A GRU cell with gates r, z, n."""
    key, size = "generator.cell", _hidden(graph)
    parts = []
    for value, end in ((x, "ih"), (h, "hh")):
        product = graph.node("MatMul", value, graph.transpose(f"{key}.weight_{end}"))
        total = graph.node("Add", product, graph.weight(f"{key}.bias_{end}"))
        parts.append(graph.nodes_of("Split", 3, total, graph.integers(*[size] * 3), axis=1))
    r, z = (graph.node("Sigmoid", graph.node("Add", *pair)) for pair in list(zip(*parts))[:2])
    new = graph.node("Tanh", graph.node("Add", parts[0][2], graph.node("Mul", r, parts[1][2])))
    return graph.node("Add", new, graph.node("Mul", z, graph.node("Sub", h, new)))


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
    # A Loop hands its body the step, whether to go on, and the state; it takes back whether to go on, the state, and
    # what is collected. That it stacks along a new first axis: the logits, its fifth output after the state's four.
    count, before = graph.fresh("step"), graph.fresh("going")
    given = [_info(count, TensorProto.INT64, ()), _info(before, TensorProto.BOOL, ())]
    given += _describe_state(*inside.values(), _hidden(graph))
    made = [_info(going, TensorProto.BOOL, ()), *_describe_state(chosen, over, new_h, new_c, _hidden(graph))]
    body = helper.make_graph(nodes, "symbol", given, [*made, _info(logits, TensorProto.FLOAT, ("batch", start))])
    limits = _scalar(graph, max_length + 1), graph.constant(np.array(True))
    return graph.nodes_of("Loop", 5, *limits, symbols, ended, h, c, body=body)[4]


def _describe_state(symbols: str, ended: str, h: str, c: str, hidden: int) -> list:
    """Type and shape of what goes from step to step: symbols and `ended` (N,), h and c (N, hidden)."""
    kinds = ((symbols, TensorProto.INT64, ()), (ended, TensorProto.BOOL, ()))
    kinds += ((h, TensorProto.FLOAT, (hidden,)), (c, TensorProto.FLOAT, (hidden,)))
    return [_info(name, kind, ("batch", *rest)) for name, kind, rest in kinds]


def _info(name: str, kind: int, shape: tuple):
    return helper.make_tensor_value_info(name, kind, shape)
