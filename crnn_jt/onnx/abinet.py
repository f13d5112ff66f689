"""ABINet's position attention and its cloze network with the loop around them as ONNX nodes; the iterations are
unrolled, since each is the same few nodes.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from crnn_jt.correctors.bcn import BCN
from crnn_jt.generators.parallel import DOWN, Parallel
from crnn_jt.models import Recognizer
from crnn_jt.onnx.graph import Graph
from crnn_jt.onnx.nodes import MEMORY_SIZES, hide, node_of, stack
from crnn_jt.places import END


def look(graph: Graph, generator: Parallel, sequence: str) -> str:
    """What each place sees, (T', N, C), of a sequence (T, N, C) whose every step counts."""
    features, rows, places = generator.features, generator.rows, generator.max_length + 1
    batch = _part(graph, graph.node("Shape", sequence), 1)
    shape = graph.node("Concat", graph.integers(rows, -1), batch, graph.integers(features), axis=0)
    grid = graph.node("Reshape", sequence, shape)  # (rows, columns, N, C)
    grid = graph.node("Transpose", grid, perm=[2, 3, 0, 1])  # (N, C, rows, columns)
    columns = _part(graph, graph.node("Shape", grid), 3)
    missing = graph.node("Mod", graph.node("Neg", columns), graph.integers(2**DOWN))
    grid = graph.node("Pad", grid, graph.node("Concat", graph.integers(*[0] * 7), missing, axis=0))
    whole = _part(graph, graph.node("Shape", grid), 3)
    flat = graph.integers(0, 0, -1)
    keys = graph.node("Reshape", stack(graph, generator.plan, grid, "generator.keys."), flat)  # (N, C, rows·whole)
    zeros = graph.constant(np.zeros((places, 1, features), np.float32))
    placed = node_of(generator.named_layers()["places"], graph, zeros, "generator.places", {})
    queries = graph.node("Transpose", graph.linear(placed, "generator.query"), perm=[1, 0, 2])  # (1, T', C)
    scores = graph.node("Mul", graph.node("MatMul", queries, keys), graph.constant(np.float32(features**-0.5)))
    by_row = graph.node("Reshape", scores, graph.node("Concat", graph.integers(0, places, rows), whole, axis=0))
    scores = graph.node("Reshape", graph.node("Add", by_row, hide(graph, whole, columns)), graph.integers(0, 0, -1))
    values = graph.node("Transpose", graph.node("Reshape", grid, flat), perm=[0, 2, 1])  # (N, rows·whole, C)
    seen = graph.node("MatMul", graph.node("Softmax", scores, axis=2), values)  # (N, T', C)
    return graph.node("Transpose", seen, perm=[1, 0, 2])


def parallel(graph: Graph, model: Recognizer, sequence: str) -> str:
    """All symbols at once, (T, N, C) -> logits (T', N, K)."""
    return graph.linear(look(graph, model.generator, sequence), "generator.head")


def bcn(graph: Graph, model: Recognizer, sequence: str) -> str:
    """Vision, then language and the fusion of both as often as the corrector has iterations: logits (T', N, K)."""
    seen = look(graph, model.generator, sequence)
    logits, one = graph.linear(seen, "generator.head"), graph.constant(np.float32(1))
    for _ in range(model.corrector.iterations):
        told = _spell(graph, model.corrector, graph.node("Softmax", logits, axis=2))
        gate = graph.node("Sigmoid", graph.linear(graph.node("Concat", told, seen, axis=2), "corrector.gate"))
        kept = graph.node("Mul", gate, seen)
        given = graph.node("Mul", graph.node("Sub", one, gate), told)
        logits = graph.linear(graph.node("Add", kept, given), "corrector.fused")
    return logits


PLACED = {"parallel": parallel}
CORRECTORS = {"bcn": bcn}


def _spell(graph: Graph, corrector: BCN, chances: str) -> str:
    """What language makes of a text given as chances (T', N, K): features (T', N, C)."""
    layers = corrector.named_layers()
    embedded = graph.linear(chances, "corrector.embed")
    memory = node_of(layers["places"], graph, embedded, "corrector.places", {})
    zeros = graph.node("Mul", embedded, graph.constant(np.float32(0)))
    queries = node_of(layers["places"], graph, zeros, "corrector.places", {})
    kept = {"memory": memory, MEMORY_SIZES.format("memory"): _sizes(graph, chances, corrector.max_length + 1)}
    return stack(graph, corrector.plan, queries, "corrector.cloze.", kept)


def _sizes(graph: Graph, chances: str, places: int) -> str:
    """How many places each text has with its end, 2 at least, all where it has none: int64 (N,)."""
    best = graph.node("ArgMax", chances, axis=2, keepdims=0)  # (T', N)
    end = graph.constant(np.array(END, np.int64))
    ended = graph.node("Cast", graph.node("Equal", best, end), to=TensorProto.INT32)
    first = graph.node("Add", graph.node("ArgMax", ended, axis=0, keepdims=0), graph.constant(np.array(1, np.int64)))
    some = graph.node("Cast", graph.node("ReduceMax", ended, axes=[0], keepdims=0), to=TensorProto.BOOL)
    sizes = graph.node("Where", some, first, graph.constant(np.array(places, np.int64)))
    return graph.node("Max", sizes, graph.constant(np.array(min(2, places), np.int64)))


def _part(graph: Graph, shape: str, axis: int) -> str:
    """One number of a shape, int64 (1,)."""
    return graph.node("Slice", shape, graph.integers(axis), graph.integers(axis + 1))
