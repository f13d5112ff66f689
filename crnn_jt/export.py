"""A recogniser as an ONNX file, built from the layers that its stages declare; batch and width stay open.

The file takes `images` (N, C, H, W), float32 in [-1, 1] as the model's transform makes them, and gives `logits`
(T, N, K), class 0 the blank. Needs the packages onnx and onnxruntime, the latter to check the file before it is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from crnn_jt.freeze import Parts
from crnn_jt.layers import Activation, BiLSTM, Conv, Dropout, Linear, MaxPool, Norm, Plan, Residual
from data_tools.errors import UserError
from data_tools.files import write_bytes

OPSET = 17
TOLERANCE = 1e-3  # relative to the largest logit
ACTIVATIONS = {"relu": "Relu", "hardswish": "HardSwish"}
GATES = [0, 3, 1, 2]  # ONNX orders an LSTM's gates i, o, f, c; PyTorch and Jittor i, f, g, o


class Graph:
    """An ONNX graph in the making: nodes, weights, and a fresh name for every value."""

    def __init__(self, state: Mapping[str, np.ndarray]):
        self.state, self.nodes, self.weights = state, [], {}

    def node(self, kind: str, inputs: list[str], outputs: int = 1, **attributes) -> str:
        """Adds a node; returns the name of its first output."""
        from onnx import helper

        names = [f"{kind.lower()}{len(self.nodes)}" + (f"_{i}" if i else "") for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, name=names[0], **attributes))
        return names[0]

    def constant(self, name: str, value: np.ndarray) -> str:
        """Adds a weight under `name`; returns the name."""
        from onnx import numpy_helper

        self.weights[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def weight(self, key: str) -> str:
        """The weight `key` of the state."""
        return self.constant(key, np.asarray(self.state[key], np.float32))

    def images(self, plan: Plan, x: str, prefix: str) -> str:
        """Image layers."""
        for position, layer in enumerate(plan):
            x = self._image_layer(layer, x, f"{prefix}{position}")
        return x

    def _image_layer(self, layer, x: str, key: str) -> str:
        if isinstance(layer, Residual):
            branches = self.images(layer.body, x, f"{key}.body."), self.images(layer.shortcut, x, f"{key}.shortcut.")
            return self.node("Add", list(branches))
        if isinstance(layer, Conv):
            names = ["weight", "bias"] if layer.bias else ["weight"]
            return self.node("Conv", [x, *(self.weight(f"{key}.{name}") for name in names)], **_window(layer))
        if isinstance(layer, MaxPool):
            return self.node("MaxPool", [x], **_window(layer))
        if isinstance(layer, Norm):
            names = ("weight", "bias", "running_mean", "running_var")
            weights = [self.weight(f"{key}.{name}") for name in names]
            return self.node("BatchNormalization", [x, *weights], epsilon=layer.eps)
        if isinstance(layer, Activation) and layer.kind in ACTIVATIONS:
            return self.node(ACTIVATIONS[layer.kind], [x])
        if isinstance(layer, Dropout):
            return x
        raise UserError(f"export: no ONNX for {layer} among image layers")

    def steps(self, x: str, axis: str) -> str:
        """(N, C, H, W) -> (T, N, D), steps along columns or channels."""
        order = [3, 0, 1, 2] if axis == "columns" else [1, 0, 2, 3]
        return self._join(self.node("Transpose", [x], perm=order))

    def _join(self, x: str) -> str:
        """Joins the last two of four axes."""
        return self.node("Reshape", [x, self.constant("joined", np.array([0, 0, -1], np.int64))])

    def sequence(self, plan: Plan, x: str, prefix: str) -> str:
        """Sequence layers on (T, N, D)."""
        for position, layer in enumerate(plan):
            if isinstance(layer, BiLSTM):
                x = self._bilstm(layer, x, f"{prefix}{position}.")
            elif isinstance(layer, Linear):
                x = self.linear(x, f"{prefix}{position}.")
            elif not isinstance(layer, Dropout):
                raise UserError(f"export: no ONNX for {layer} among sequence layers")
        return x

    def linear(self, x: str, prefix: str) -> str:
        """x . weight^T + bias"""
        turned = self.constant(f"{prefix}weight", np.asarray(self.state[f"{prefix}weight"], np.float32).T)
        return self.node("Add", [self.node("MatMul", [x, turned]), self.weight(f"{prefix}bias")])

    def _bilstm(self, layer: BiLSTM, x: str, prefix: str) -> str:
        def both(name: str) -> np.ndarray:
            pair = [np.asarray(self.state[f"{prefix}{name}_l0{end}"], np.float32) for end in ("", "_reverse")]
            gates = [weight.reshape(4, layer.hidden, -1)[GATES].reshape(weight.shape) for weight in pair]
            return np.stack(gates)

        weights = [self.constant(f"{prefix}{name}", both(name)) for name in ("weight_ih", "weight_hh")]
        bias = np.concatenate([both("bias_ih"), both("bias_hh")], 1)
        inputs = [x, *weights, self.constant(f"{prefix}bias", bias)]
        y = self.node("LSTM", inputs, direction="bidirectional", hidden_size=layer.hidden)  # (T, 2, N, H)
        return self._join(self.node("Transpose", [y], perm=[0, 2, 1, 3]))


def _window(layer: Conv | MaxPool) -> dict[str, list[int]]:
    return {"kernel_shape": [*layer.kernel], "strides": [*layer.stride], "pads": [*layer.padding, *layer.padding]}


def to_onnx(parts: Parts, state: Mapping[str, np.ndarray], height: int, width: int | None = None) -> bytes:
    """The ONNX file of a recogniser made of `parts` with the weights `state`; `width` None leaves the width open."""
    from onnx import TensorProto, checker, helper

    graph = Graph(state)
    x = graph.images(parts.extractor, "images", "extractor.stack.")
    x = graph.sequence(parts.refiner, graph.steps(x, parts.sequence_axis), "refiner.stack.")
    x = graph.linear(x, "generator.head.")
    graph.nodes[-1].output[0] = "logits"
    images = helper.make_tensor_value_info(
        "images", TensorProto.FLOAT, ["batch", parts.in_channels, height, width or "width"]
    )
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["steps", "batch", parts.head.out_features])
    made = helper.make_graph(graph.nodes, "crnn_jt", [images], [logits], list(graph.weights.values()))
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="crnn_jt")
    model.ir_version = 8  # what runtimes of the last years read
    checker.check_model(model)
    return model.SerializeToString()


def export_onnx(reader, path: str | Path) -> float:
    """Writes the model of a `SequenceReader` to `path`, after checking it; returns the largest relative difference.

    Raises UserError where a stage has no ONNX form, a package is missing, or the file's logits are not the model's.
    """
    _require_packages()
    recognizer, spec = reader.recognizer, reader.spec
    if not recognizer.generator.aligned:
        raise UserError(f"export: {spec.generator.name} emits symbol by symbol, which this export cannot say; use CTC")
    from crnn_jt import backend

    (head,) = recognizer.generator.layers()
    axis = recognizer.extractor.sequence_axis
    parts = Parts(spec.image.channels, recognizer.extractor.layers(), recognizer.refiner.layers(), head, axis)
    width = spec.image.width if axis == "channels" else None
    content = to_onnx(parts, backend.state(recognizer), spec.image.height, width)
    difference = _difference(reader, content, [spec.image.narrowest, spec.image.width, spec.image.widest])
    if not difference <= TOLERANCE:
        raise UserError(f"{path}: not written, ONNX Runtime's logits differ by {difference:.1e} of the largest")
    write_bytes(path, content)
    return difference


def _require_packages() -> None:
    missing = [name for name in ("onnx", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise UserError(f"export: {' and '.join(missing)} not installed; pip install onnx onnxruntime")


def _difference(reader, content: bytes, widths: list[int]) -> float:
    """The largest difference of ONNX Runtime's logits from the model's, relative to the largest, over random images."""
    import onnxruntime

    from crnn_jt import backend

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    rng, worst = np.random.default_rng(0), 0.0
    image = reader.spec.image
    for batch, width in zip((1, 3, 2), widths):
        images = rng.uniform(-1, 1, (batch, image.channels, image.height, width)).astype(np.float32)
        with backend.no_grad():
            logits, _ = reader.recognizer(backend.ops.array(images), np.full(batch, width))
        expected = backend.ops.numpy(logits)
        (found,) = session.run(None, {"images": images})
        if found.shape != expected.shape:
            return float("inf")
        worst = max(worst, float(np.abs(found - expected).max() / np.abs(expected).max()))
    return worst
