"""Models by kind in their ONNX form: what goes in and comes out, and the nodes between.

A form takes `images` float32 (N, C, H, W) in [-1, 1], if it does not say otherwise; what else a program needs to use it
is in its metadata.
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
    """A model, or a `part` of it that has a file of its own, ready to read, as ONNX."""

    part: ClassVar[str] = ""
    beside: ClassVar[tuple[type[Form], ...]] = ()
    """The forms of a model's further parts."""
    model: Model

    def __init__(self, model: Model):
        self.model, self.spec = model, model.spec

    def add(self, graph: Graph) -> list[str]:
        """Adds the nodes from the inputs to the outputs; returns their names. Raises UserError."""
        raise NotImplementedError

    def inputs(self) -> dict[str, Dimensions]:
        """What is taken, by name."""
        raise NotImplementedError

    def outputs(self) -> dict[str, Dimensions]:
        """What comes out, by name."""
        raise NotImplementedError

    def metadata(self) -> dict[str, str]:
        """What a program has to know besides what all forms say."""
        raise NotImplementedError

    def sizes(self) -> list[tuple[int, int, int]]:
        """Batches (N, H, W) of the extremes that the form takes."""
        raise NotImplementedError

    def given(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Inputs made of images (N, C, H, W) of one of the `sizes`."""
        return {"images": images}

    def run(self, **given: np.ndarray) -> list[np.ndarray]:
        """What the model itself makes of inputs."""
        raise NotImplementedError

    @property
    def output(self) -> str:
        """The name of what comes out first."""
        return next(iter(self.outputs()))


def forms_of(model: Model) -> list[Form]:
    """The form of a model, and those of its further parts. Raises UserError for a kind that has none."""
    first = FORMS.get(model.spec.kind)
    return [form(model) for form in (first, *first.beside)]


def build(form: Form, state: State) -> ModelProto:
    """The ONNX model of a form with these weights. Raises UserError where a stage or layer has no ONNX form."""
    graph, spec = Graph(state), form.spec
    values = form.add(graph)
    model = graph.model(spec.name, form.inputs(), form.outputs(), values)
    written = json.dumps(to_dict(spec), ensure_ascii=False)
    helper.set_model_props(model, {"kind": spec.kind, "output": form.output, "spec": written} | form.metadata())
    return model


@FORMS.register("recognizer")
class RecognizerForm(Form):
    """`logits` (T, N, K) before softmax: class 0 is the blank (CTC) or the end (decoders). The width is open as far as
    the stages leave it open; decoders run free.
    """

    model: Recognizer

    def add(self, graph: Graph) -> list[str]:
        model, image = self.model, self.spec.image
        if model.rectifier is not None:
            raise UserError("--format onnx: a rectifier has no ONNX form")
        features = stack(graph, model.extractor.layers(), "images", "extractor.stack.")
        size = model.extractor.out_shape(image.height, image.width)
        sequence = to_sequence(graph, features, model.extractor.sequence, model.extractor.out_channels, *size)
        refined = stack(graph, model.refiner.layers(), sequence, "refiner.stack.")
        if self.spec.corrector is not None:
            return [_form_of(self.spec.corrector.name, CORRECTORS, "corrector")(graph, model, refined)]
        return [generate(graph, model, refined)]

    @property
    def open_width(self) -> bool:
        """Whether images of any width can be read: where the columns of the feature map are the steps."""
        return self.model.extractor.sequence.open_width

    def inputs(self) -> dict[str, Dimensions]:
        image = self.spec.image
        return {"images": ("batch", image.channels, image.height, "width" if self.open_width else image.width)}

    def outputs(self) -> dict[str, Dimensions]:
        return {"logits": ("steps", "batch", self.model.tokenizer.classes)}

    def metadata(self) -> dict[str, str]:
        return {"pixels": PIXELS} | describe_symbols(self.model)

    def sizes(self) -> list[tuple[int, int, int]]:
        image = self.spec.image
        middle = (image.narrowest + image.widest) // 2
        widths = (image.narrowest, image.widest, middle if middle != image.widest else 3 * image.width // 2)
        if not self.open_width:
            widths = (image.width,) * 3
        return [(count, image.height, width) for count, width in zip((3, 1, 2), widths)]

    def run(self, images: np.ndarray) -> list[np.ndarray]:
        return [ops.numpy(self.model(ops.array(images), np.full(len(images), images.shape[3]))[0])]


def generate(graph: Graph, model, refined: str) -> str:
    """A model's generator, from a refined sequence (T, N, D) to logits (T', N, K)."""
    if model.generator.framewise:
        (head,) = model.generator.layers()
        return node_of(head, graph, refined, "generator.head", {})
    name = model.spec.generator.name
    if name in PLACED:
        return PLACED[name](graph, model, refined)
    return _form_of(name, DECODERS, "generator")(graph, refined, model.spec.labels.max_length)


def describe_symbols(model) -> dict[str, str]:
    """The symbols of classes 1, 2 … as JSON, what stands between them, and what class 0 is."""
    return {
        "symbols": json.dumps(model.tokenizer.symbols, ensure_ascii=False),
        "separator": " " if model.spec.labels.vocabulary else "",
        "class_0": "blank" if model.spec.generator.name == "ctc" else "end",
    }


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

    model: Detector

    def add(self, graph: Graph) -> list[str]:
        return [self.add_head(graph, self.add_features(graph))]

    def add_features(self, graph: Graph) -> str:
        """The nodes up to the neck's map. Raises UserError."""
        if not self.model.head.by_map:
            raise UserError(f"--format onnx: the head {self.spec.head.name} has no ONNX form")
        extractor, taps = self.model.extractor, self.model.extractor.taps
        values = values_of(graph, extractor.layers()[: max(taps) + 1], "images", "extractor.stack.")
        maps = {f"c{level}": values[tap] for level, tap in enumerate(taps)}
        return stack(graph, self.model.neck.layers(), values[taps[-1]], "neck.stack.", maps)

    def add_head(self, graph: Graph, features: str) -> str:
        """The nodes from there on."""
        logits = stack(graph, self.model.head.plan, features, "head.shrink.")
        return graph.node("Squeeze", graph.node("Sigmoid", logits), graph.integers(1))

    def inputs(self) -> dict[str, Dimensions]:
        return {"images": ("batch", self.spec.image.channels, "height", "width")}

    def outputs(self) -> dict[str, Dimensions]:
        return {"probabilities": ("batch", "rows", "columns")}

    def metadata(self) -> dict[str, str]:
        pixels = "x / 127.5 - 1 of 8-bit values, then zeros at the right and below up to a multiple of `multiple`"
        return {"pixels": pixels, "multiple": str(self.model.multiple), "stride": str(self.model.stride)}

    def sizes(self) -> list[tuple[int, int, int]]:
        image, least = self.spec.image, self.model.multiple
        return [(3, 2 * least, 3 * least), (1, image.height, image.width), (2, least, 4 * least)]

    def run(self, images: np.ndarray) -> list[np.ndarray]:
        return [self.model.probabilities(images)]


@FORMS.register("direction")
class DirectionForm(Form):
    """`probabilities` (N, 2) of standing upright and on its head, of pictures of one size."""

    model: Direction

    def add(self, graph: Graph) -> list[str]:
        features = stack(graph, self.model.extractor.layers(), "images", "extractor.stack.")
        pooled = graph.node("Flatten", stack(graph, self.model.plan, features, "pool."))
        return [graph.node("Softmax", stack(graph, self.model.head.plan, pooled, "head."), axis=1)]

    def inputs(self) -> dict[str, Dimensions]:
        image = self.spec.image
        return {"images": ("batch", image.channels, image.height, image.width)}

    def outputs(self) -> dict[str, Dimensions]:
        return {"probabilities": ("batch", len(TURNS))}

    def metadata(self) -> dict[str, str]:
        return {"pixels": PIXELS, "turns": json.dumps(TURNS)}

    def sizes(self) -> list[tuple[int, int, int]]:
        return [(count, self.spec.image.height, self.spec.image.width) for count in (3, 1, 2)]

    def run(self, images: np.ndarray) -> list[np.ndarray]:
        return [self.model.probabilities(images)]
