"""A graph of ONNX operators as it grows, and the file's content that it becomes; no framework.

Operators are those of opset 17, which every runtime of recent years knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from crnn_jt.layers import BatchNorm

OPSET, IR = 17, 8

Dimensions = tuple[int | str, ...]
State = Mapping[str, np.ndarray]


class Graph:
    """Nodes and constants as they are added; values are known by name. `state` holds the weights by their keys, `norms`
    by a product's key the normalisation that it takes in, with its key.
    """

    def __init__(self, state: State):
        self.state = state
        self.norms: dict[str, tuple[BatchNorm, str]] = {}
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

    def maker(self, value: str) -> NodeProto | None:
        """The node that gives a value, unless that is an input or a constant."""
        return next((node for node in reversed(self.nodes) if value in node.output), None)

    def again(self, node: NodeProto, value: str) -> str:
        """Adds a node of one input as there is already, of `value`; returns the name of its output."""
        name = self.fresh(node.op_type.lower())
        copy = helper.make_node(node.op_type, [value], [name])
        copy.attribute.extend(node.attribute)
        self.nodes.append(copy)
        return name

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

    def stand_in(self, name: str, value: str) -> None:
        """From now on `value` is taken where the constant `name` is asked for."""
        self._known[(name,)] = value

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
        """x · weightᵀ + bias on the last axis; the bias is optional."""
        product = self.node("MatMul", value, self.transpose(f"{key}.weight"))
        return self.node("Add", product, self.weight(f"{key}.bias")) if f"{key}.bias" in self.state else product

    def transpose(self, key: str) -> str:
        """The weight (out, in) at `key` as (in, out)."""
        return self.constant(np.asarray(self.state[key], np.float32).T, f"{key}.transposed")

    def model(
        self, name: str, inputs: Mapping[str, Dimensions], outputs: Mapping[str, Dimensions], values: Sequence[str]
    ) -> ModelProto:
        """The whole as a model from inputs to outputs, float32 of the dimensions given; those that are open have a name
        instead of a number. The outputs are `values`.
        """
        self.nodes += [helper.make_node("Identity", [value], [output]) for value, output in zip(values, outputs)]
        taken, made = (
            [helper.make_tensor_value_info(end, TensorProto.FLOAT, dimensions) for end, dimensions in ends.items()]
            for ends in (inputs, outputs)
        )
        graph = helper.make_graph(_used(self.nodes, outputs), name, taken, made, self.constants)
        opset = helper.make_opsetid("", OPSET)
        return helper.make_model(graph, opset_imports=[opset], ir_version=IR, producer_name="crnn-jt")


def _used(nodes: list[NodeProto], outputs: Iterable[str]) -> list[NodeProto]:
    """Without nodes whose outputs nobody asks for, for the model's `outputs`. What a loop's inside asks for counts."""
    asked, kept = {*outputs}, []
    for node in reversed(nodes):
        if asked & {*node.output}:
            kept.append(node)
            asked |= {*_inputs(node)}
    return kept[::-1]


def _inputs(node: NodeProto) -> list[str]:
    inside = [attribute.g for attribute in node.attribute if attribute.HasField("g")]
    outputs = [output.name for graph in inside for output in graph.output]
    return [*node.input, *outputs, *(name for graph in inside for other in graph.node for name in _inputs(other))]
