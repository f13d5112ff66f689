"""Plans as ONNX graphs give what their layers define, or the layer is named that has no form."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

MISSING = [name for name in ("onnx", "onnxruntime") if find_spec(name) is None]
if MISSING:
    pytest.skip(f"{' and '.join(MISSING)} not installed", allow_module_level=True)

from onnx import TensorProto, helper

from crnn_jt.export import session_options
from crnn_jt.onnx.graph import IR, OPSET, Graph
from crnn_jt.onnx.nodes import node_of, stack, to_sequence
from crnn_jt.sequences import CHANNELS, COLUMNS, GRID
from data_tools.errors import UserError
from tests.crnn_jt.layer_examples import PLANS, every_layer, example
from tests.oracle.plan import evaluate, random_state

WITHOUT_FORM = {"Choice": "the layer Choice"}


def run(graph: Graph, output: str, x: np.ndarray) -> np.ndarray:
    """The graph's output for `x`, from ONNX Runtime."""
    import onnxruntime

    axes = [f"a{axis}" for axis in range(x.ndim)]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, axes)
    graph.nodes.append(helper.make_node("Identity", [output], ["y"]))
    made = helper.make_graph(graph.nodes, "plan", [given], [helper.make_empty_tensor_value_info("y")], graph.constants)
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(made, opset_imports=[opset], ir_version=IR).SerializeToString()
    session = onnxruntime.InferenceSession(model, session_options(), providers=["CPUExecutionProvider"])
    return session.run(["y"], {"x": x.astype(np.float32)})[0]


@pytest.mark.parametrize("name", PLANS)
def test_plans_mean_what_their_layers_define(name):
    """Against the numpy definitions, not the framework that the exporter's own check uses."""
    given = example(name)
    state = random_state(given.plan, np.random.default_rng(1))
    graph = Graph(state)
    if name in WITHOUT_FORM:
        with pytest.raises(UserError, match=WITHOUT_FORM[name]):
            stack(graph, given.plan, "x", "")
        return
    found = run(graph, stack(graph, given.plan, "x", ""), given.x)
    np.testing.assert_allclose(found, evaluate(given.plan, state, given.x), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("layer", every_layer(), ids=lambda layer: type(layer).__name__)
def test_a_layer_without_a_form_is_named(layer):
    """One clear line, before anything is written."""
    ask = node_of
    if ask.dispatch(type(layer)) is ask.dispatch(object):
        with pytest.raises(UserError, match=f"the layer {type(layer).__name__} has no ONNX form"):
            ask(layer, Graph({}), "x", "0", {})


@pytest.mark.parametrize("way", [COLUMNS, CHANNELS, GRID], ids=lambda way: way.name)
def test_maps_become_the_same_sequences(way):
    features = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)
    graph = Graph({})
    found = run(graph, to_sequence(graph, "x", way, 3, 4, 5), features)
    expected = features.transpose(way.order).reshape(way.steps(3, 4, 5), 2, way.features(3, 4, 5))
    np.testing.assert_array_equal(found, expected)
