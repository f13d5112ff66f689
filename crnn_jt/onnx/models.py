"""Models by kind in their ONNX form: what goes in and comes out, and the nodes between.

A form takes `images` float32 (N, C, H, W) in [-1, 1]; what else a program needs to use it is in its metadata.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from onnx import ModelProto, helper

from crnn_jt.backend import ops
from crnn_jt.models import Detector, Direction, Model, Recognizer
from crnn_jt.models.direction import TURNS
from crnn_jt.onnx.abinet import CORRECTORS, PLACED
from crnn_jt.onnx.decoders import DECODERS
from crnn_jt.onnx.graph import Dimensions, Graph, State
from crnn_jt.onnx.nodes import node_of, stack, to_sequence, values_of
from crnn_jt.registry import Registry
from crnn_jt.spec import to_dict
from data_tools.errors import UserError

FORMS = Registry("models with an ONNX form")
PIXELS = "x / 127.5 - 1 of 8-bit values, bilinear resize to the spec's image"


class Form:
    """A model, ready to read, as ONNX. `output` names what comes out."""

    output: ClassVar[str]
    model: Model

    def __init__(self, model: Model):
        self.model, self.spec = model, model.spec

    def add(self, graph: Graph) -> str:
        """Adds the nodes from `images` to the output; returns its name. Raises UserError."""
        raise NotImplementedError

    def dimensions(self) -> tuple[Dimensions, Dimensions]:
        """Those of the images and of the output."""
        raise NotImplementedError

    def metadata(self) -> dict[str, str]:
        """What a program has to know besides what all forms say."""
        raise NotImplementedError

    def sizes(self) -> list[tuple[int, int, int]]:
        """Batches (N, H, W) of the extremes that the form takes."""
        raise NotImplementedError

    def run(self, images: np.ndarray) -> np.ndarray:
        """What the model itself makes of images (N, C, H, W)."""
        raise NotImplementedError


def form_of(model: Model) -> Form:
    """The form of a model. Raises UserError for a kind that has none."""
    return FORMS.get(model.spec.kind)(model)


def build(form: Form, state: State) -> ModelProto:
    """The ONNX model of a form with these weights. Raises UserError where a stage or layer has no ONNX form."""
    graph, spec = Graph(state), form.spec
    value = form.add(graph)
    given, found = form.dimensions()
    model = graph.model(spec.name, given, form.output, value, found)
    values = json.dumps(to_dict(spec), ensure_ascii=False)
    shared = {"kind": spec.kind, "output": form.output, "pixels": PIXELS, "spec": values}
    helper.set_model_props(model, shared | form.metadata())
    return model


@FORMS.register("recognizer")
class RecognizerForm(Form):
    """`logits` (T, N, K) before softmax: class 0 is the blank (CTC) or the end (decoders). The width is open as far as
    the stages leave it open; decoders run free.
    """

    output = "logits"
    model: Recognizer

    def add(self, graph: Graph) -> str:
        model, image, generator = self.model, self.spec.image, self.spec.generator.name
        if model.rectifier is not None:
            raise UserError("--format onnx: a rectifier has no ONNX form")
        features = stack(graph, model.extractor.layers(), "images", "extractor.stack.")
        size = model.extractor.out_shape(image.height, image.width)
        sequence = to_sequence(graph, features, model.extractor.sequence, model.extractor.out_channels, *size)
        refined = stack(graph, model.refiner.layers(), sequence, "refiner.stack.")
        if model.generator.framewise:
            (head,) = model.generator.layers()
            return node_of(head, graph, refined, "generator.head", {})
        if self.spec.corrector is not None:
            return _form_of(self.spec.corrector.name, CORRECTORS, "corrector")(graph, model, refined)
        if generator in PLACED:
            return PLACED[generator](graph, model, refined)
        return _form_of(generator, DECODERS, "generator")(graph, refined, self.spec.labels.max_length)

    @property
    def open_width(self) -> bool:
        """Whether images of any width can be read: where the columns of the feature map are the steps."""
        return self.model.extractor.sequence.open_width

    def dimensions(self) -> tuple[Dimensions, Dimensions]:
        image = self.spec.image
        width = "width" if self.open_width else image.width
        return ("batch", image.channels, image.height, width), ("steps", "batch", self.model.tokenizer.classes)

    def metadata(self) -> dict[str, str]:
        """The symbols of classes 1, 2 … as JSON, what stands between them, and what class 0 is."""
        return {
            "symbols": json.dumps(self.model.tokenizer.symbols, ensure_ascii=False),
            "separator": " " if self.spec.labels.vocabulary else "",
            "class_0": "blank" if self.spec.generator.name == "ctc" else "end",
        }

    def sizes(self) -> list[tuple[int, int, int]]:
        image = self.spec.image
        middle = (image.narrowest + image.widest) // 2
        widths = (image.narrowest, image.widest, middle if middle != image.widest else 3 * image.width // 2)
        if not self.open_width:
            widths = (image.width,) * 3
        return [(count, image.height, width) for count, width in zip((3, 1, 2), widths)]

    def run(self, images: np.ndarray) -> np.ndarray:
        return ops.numpy(self.model(ops.array(images), np.full(len(images), images.shape[3]))[0])


def _form_of(name: str, forms: dict[str, Callable], kind: str) -> Callable:
    """What adds a stage's nodes. Raises UserError for one without an ONNX form."""
    if name not in forms:
        raise UserError(f"--format onnx: the {kind} {name} has no ONNX form; these have: {', '.join(forms)}")
    return forms[name]


@FORMS.register("detector")
class DetectorForm(Form):
    """`probabilities` (N, H / stride, W / stride) of being well inside text. Height and width are open: multiples of
    `multiple`, to which a photograph is padded with zeros at its right and its lower edge.
    """

    output = "probabilities"
    model: Detector

    def add(self, graph: Graph) -> str:
        extractor, taps = self.model.extractor, self.model.extractor.taps
        values = values_of(graph, extractor.layers()[: max(taps) + 1], "images", "extractor.stack.")
        maps = {f"c{level}": values[tap] for level, tap in enumerate(taps)}
        features = stack(graph, self.model.neck.layers(), values[taps[-1]], "neck.stack.", maps)
        logits = stack(graph, self.model.head.plan, features, "head.shrink.")
        return graph.node("Squeeze", graph.node("Sigmoid", logits), graph.integers(1))

    def dimensions(self) -> tuple[Dimensions, Dimensions]:
        return ("batch", self.spec.image.channels, "height", "width"), ("batch", "rows", "columns")

    def metadata(self) -> dict[str, str]:
        pixels = "x / 127.5 - 1 of 8-bit values, then zeros at the right and below up to a multiple of `multiple`"
        return {"pixels": pixels, "multiple": str(self.model.multiple), "stride": str(self.model.stride)}

    def sizes(self) -> list[tuple[int, int, int]]:
        image, least = self.spec.image, self.model.multiple
        return [(3, 2 * least, 3 * least), (1, image.height, image.width), (2, least, 4 * least)]

    def run(self, images: np.ndarray) -> np.ndarray:
        return self.model.probabilities(images)


@FORMS.register("direction")
class DirectionForm(Form):
    """`probabilities` (N, 2) of standing upright and on its head, of pictures of one size."""

    output = "probabilities"
    model: Direction

    def add(self, graph: Graph) -> str:
        features = stack(graph, self.model.extractor.layers(), "images", "extractor.stack.")
        pooled = graph.node("Flatten", stack(graph, self.model.plan, features, "pool."))
        return graph.node("Softmax", stack(graph, self.model.head.plan, pooled, "head."), axis=1)

    def dimensions(self) -> tuple[Dimensions, Dimensions]:
        image = self.spec.image
        return ("batch", image.channels, image.height, image.width), ("batch", len(TURNS))

    def metadata(self) -> dict[str, str]:
        return {"turns": json.dumps(TURNS)}

    def sizes(self) -> list[tuple[int, int, int]]:
        return [(count, self.spec.image.height, self.spec.image.width) for count in (3, 1, 2)]

    def run(self, images: np.ndarray) -> np.ndarray:
        return self.model.probabilities(images)
