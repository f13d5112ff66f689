"""A trained recogniser as an ONNX file that other runtimes read, checked before it is left behind.

The graph takes `images` float32 (N, C, H, W) in [-1, 1], all of one width, and gives `logits` (T, N, K): before
softmax, class 0 the blank (CTC) or the end (decoders). Batch and width are open, as far as the stages leave the width
open. What a program needs besides stands in the file's metadata.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crnn_jt.spec import ModelSpec, to_dict
from crnn_jt.weights import Weights, check
from data_tools.errors import UserError
from data_tools.files import write_bytes

TOLERANCE = 1e-3
PICTURES = Path(__file__).parent / "bundled/images"


@dataclass(frozen=True)
class Exported:
    """What was written: its size in bytes, the shapes (N, C, H, W) that were compared, and the greatest difference
    from the recogniser's own logits, relative to the largest of them.
    """

    path: str
    size: int
    opset: int
    compared: list[tuple[int, ...]]
    difference: float


def export_onnx(weights: Weights, path: str | Path) -> Exported:
    """Writes the recogniser to `path`. Raises UserError where a stage has no ONNX form, packages are missing, or ONNX
    Runtime's logits are not the recogniser's own; nothing is written then.
    """
    _need("onnx", "onnxruntime")
    from crnn_jt import backend
    from crnn_jt.onnx_graph import OPSET
    from crnn_jt.recognizer import Recognizer

    recognizer = Recognizer(weights.spec)
    check(weights.arrays, backend.state(recognizer), weights.spec.name)
    backend.load_state(recognizer, weights.arrays)
    recognizer.eval()
    content = build(recognizer, weights).SerializeToString()
    try:
        shapes, difference = compare(content, recognizer)
    except _runtime_errors() as error:
        why = " ".join(str(error).split())
        raise UserError(f"{path}: not written; ONNX Runtime cannot run {weights.spec.name}: {why}") from error
    if not difference <= TOLERANCE:
        raise UserError(
            f"{path}: not written; ONNX Runtime's logits differ by {difference:.1e} (relative), more than {TOLERANCE}"
        )
    write_bytes(path, content)
    return Exported(str(path), len(content), OPSET, shapes, difference)


def _need(*packages: str) -> None:
    from importlib.util import find_spec

    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise UserError(f"--format onnx: {' and '.join(missing)} not installed; pip install -r requirements-bench.txt")


def build(recognizer, weights: Weights):
    """The ONNX model (a `ModelProto`) of a recogniser and its weights. Raises UserError."""
    from onnx import TensorProto, helper

    from crnn_jt import onnx_graph
    from crnn_jt.onnx_graph import Graph, one, stack, to_sequence

    spec, extractor = weights.spec, recognizer.extractor
    graph = Graph(weights.arrays)
    features = stack(graph, extractor.layers(), "images", "extractor.stack.")
    sequence = to_sequence(graph, features, extractor.sequence_axis, _features(recognizer))
    refined = stack(graph, recognizer.refiner.layers(), sequence, "refiner.stack.")
    if recognizer.generator.aligned:
        (head,) = recognizer.generator.layers()
        logits = one(graph, head, refined, "generator.head")
    elif spec.generator.name in onnx_graph.DECODERS:
        logits = onnx_graph.DECODERS[spec.generator.name](graph, refined, spec.labels.max_length)
    else:
        known = ", ".join(("ctc", *onnx_graph.DECODERS))
        raise UserError(f"--format onnx: the generator {spec.generator.name} has no ONNX form; these have: {known}")
    graph.nodes.append(helper.make_node("Identity", [logits], ["logits"]))
    width = "width" if open_width(recognizer) else spec.image.width
    taken = helper.make_tensor_value_info(
        "images", TensorProto.FLOAT, ["batch", spec.image.channels, spec.image.height, width]
    )
    given = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["steps", "batch", recognizer.tokenizer.classes])
    made = helper.make_graph(graph.nodes, spec.name, [taken], [given], graph.constants)
    opset = helper.make_opsetid("", onnx_graph.OPSET)
    model = helper.make_model(made, opset_imports=[opset], ir_version=onnx_graph.IR, producer_name="crnn-jt")
    helper.set_model_props(model, metadata(spec, recognizer.tokenizer.symbols))
    return model


def _features(recognizer) -> int:
    """Values of one step of the sequence that the extractor gives."""
    image, extractor = recognizer.spec.image, recognizer.extractor
    height, width = extractor.out_shape(image.height, image.width)
    return height * width if extractor.sequence_axis == "channels" else extractor.out_channels * height


def open_width(recognizer) -> bool:
    """Whether images of any width can be read: where the columns of the feature map are the steps."""
    return recognizer.extractor.sequence_axis == "columns"


def metadata(spec: ModelSpec, symbols: tuple[str, ...]) -> dict[str, str]:
    """What a program needs to read with the file alone: the symbols of classes 1, 2 … as JSON, how pictures become
    arrays, what class 0 is, and the whole spec.
    """
    return {
        "symbols": json.dumps(symbols, ensure_ascii=False),
        "separator": " " if spec.labels.vocabulary else "",
        "class_0": "blank" if spec.generator.name == "ctc" else "end",
        "output": "logits",
        "pixels": "x / 127.5 - 1 of 8-bit values, bilinear resize to the spec's image",
        "spec": json.dumps(to_dict(spec), ensure_ascii=False),
    }


def compare(content: bytes, recognizer) -> tuple[list[tuple[int, ...]], float]:
    """Runs the file's bytes in ONNX Runtime on pictures of several widths and batches: the shapes, and the greatest
    difference from the recogniser's logits relative to the largest of them (inf where the shapes differ).
    """
    import onnxruntime

    from crnn_jt import backend
    from crnn_jt.backend import ops

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    shapes, greatest = [], 0.0
    for images in samples(recognizer):
        with backend.no_grad():
            own = ops.numpy(recognizer(ops.array(images), np.full(len(images), images.shape[3]))[0])
        (other,) = session.run(["logits"], {"images": images})
        shapes.append(images.shape)
        greatest = max(greatest, difference(own, other))
    return shapes, greatest


def _runtime_errors() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises for a graph that it cannot take."""
    from onnxruntime.capi import onnxruntime_pybind11_state as raised

    return raised.Fail, raised.InvalidGraph, raised.InvalidArgument, raised.NotImplemented, raised.RuntimeException


def difference(own: np.ndarray, other: np.ndarray) -> float:
    """The greatest difference relative to the largest of `own`; inf where shapes differ or a value is no number."""
    if own.shape != other.shape or not np.isfinite(other).all():
        return float("inf")
    return float(np.abs(own - other).max() / max(np.abs(own).max(), 1e-30))


def samples(recognizer) -> list[np.ndarray]:
    """The bundled pictures, and noise, as batches of 1, 3 and 2 images (N, C, H, W), of widths that the model takes."""
    from PIL import Image

    from data_tools.transforms import ResizeFixed

    image = recognizer.spec.image
    middle = (image.narrowest + image.widest) // 2
    widths = (image.narrowest, image.widest, middle if middle != image.widest else 3 * image.width // 2)
    if not open_width(recognizer):
        widths = (image.width,) * 3
    pictures = [Image.open(path) for path in sorted(PICTURES.glob("*.png"))]
    noise = np.random.default_rng(0)
    batches = []
    for count, width in zip((3, 1, 2), widths):
        resize = ResizeFixed(image.height, width, image.channels)
        made = [resize(picture) for picture in pictures[: count - 1]]
        made.append(noise.uniform(-1, 1, (image.channels, image.height, width)).astype(np.float32))
        batches.append(np.stack(made))
    return batches
