"""Spotters in two files: one that finds, as a detector's, and gives its features too; one that reads regions of these.

Between them a program finds the quads of text in the probabilities, and says where the places of each region lie.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from crnn_jt.backend import ops
from crnn_jt.models.spotter import Spotter
from crnn_jt.onnx.graph import Dimensions, Graph
from crnn_jt.onnx.models import FORMS, DetectorForm, Form, describe_symbols, generate
from crnn_jt.onnx.nodes import stack, to_sequence
from crnn_jt.regions import place_regions, sample_regions

REGIONS = "(across, down) of each place in the photograph's pixels, whose upper left corner is 0; regions of one width"


class RegionsForm(Form):
    """`features` (1, C, H / s, W / s) of one photograph, and `places` (R, height, columns, 2) of R regions in it, ->
    `logits` (T, R, K), as a recogniser's.
    """

    part = "read"
    model: Spotter

    def add(self, graph: Graph) -> list[str]:
        model, region = self.model, self.spec.region
        features = stack(graph, model.branch.layers(), self._add_regions(graph), "branch.stack.")
        size = model.branch.out_shape(region.height, region.max_width)
        sequence = to_sequence(graph, features, model.branch.sequence, model.branch.out_channels, *size)
        return [generate(graph, model, stack(graph, model.refiner.layers(), sequence, "refiner.stack."))]

    def _add_regions(self, graph: Graph) -> str:
        """The regions (R, C, height, columns)."""
        size = graph.node("Gather", graph.node("Shape", "features"), graph.integers(3, 2))  # (width, height)
        size = graph.node("Cast", size, to=TensorProto.FLOAT)
        halves = graph.node("Mul", size, graph.constant(np.float32(self.model.map_stride / 2)))
        grid = graph.node("Sub", graph.node("Div", "places", halves), graph.constant(np.float32(1)))
        columns = graph.node("Gather", graph.node("Shape", "places"), graph.integers(2))
        together = graph.node("Concat", graph.integers(1, -1), columns, graph.integers(2), axis=0)
        grid = graph.node("Reshape", grid, together)  # (1, R·height, columns, 2)
        cut = graph.node("GridSample", "features", grid, mode="bilinear", padding_mode="zeros", align_corners=0)
        apart = graph.integers(self.model.branch.in_channels, -1, self.spec.region.height)
        cut = graph.node("Reshape", cut, graph.node("Concat", apart, columns, axis=0))
        return graph.node("Transpose", cut, perm=[1, 0, 2, 3])

    def inputs(self) -> dict[str, Dimensions]:
        features = ("one", self.model.branch.in_channels, "map_rows", "map_columns")
        return {"features": features, "places": ("regions", self.spec.region.height, "columns", 2)}

    def outputs(self) -> dict[str, Dimensions]:
        return {"logits": ("steps", "regions", self.model.tokenizer.classes)}

    def metadata(self) -> dict[str, str]:
        return {"places": REGIONS} | describe_symbols(self.model)

    def sizes(self) -> list[tuple[int, int, int]]:
        return DetectorForm(self.model).sizes()

    def given(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Of the first photograph, as many regions as there are photographs: of the least width, the greatest, or one
        between.
        """
        region, (height, width), stride = self.spec.region, images.shape[2:], self.model.map_stride
        middle = (region.min_width + region.max_width) // 2 // region.multiple * region.multiple
        columns = {3: region.min_width, 1: region.max_width}.get(len(images), max(middle, region.min_width))
        whole, rng = np.float32([[0, 0], [width, 0], [width, height], [0, height]]), np.random.default_rng(0)
        quads = [np.float32(whole * rng.uniform(0.8, 1.1, (4, 2))) for _ in images]
        places = (place_regions(quads, columns, stride, region) + np.float32(0.5)) * np.float32(stride)
        return {"features": ops.numpy(self.model.features(ops.array(images[:1]))), "places": places}

    def run(self, features: np.ndarray, places: np.ndarray) -> list[np.ndarray]:
        model, widths = self.model, np.full(len(places), places.shape[2])
        regions = sample_regions(ops.array(features)[0], list(places), model.map_stride)
        sequence, lengths = model.see(regions, widths)
        return [ops.numpy(model.generate(model.refine(sequence, lengths), lengths))]


@FORMS.register("spotter")
class SpotterForm(DetectorForm):
    """As a detector's, and `features` (N, C, H / s, W / s), the neck's map, in which `RegionsForm` reads."""

    beside = (RegionsForm,)
    model: Spotter

    def add(self, graph: Graph) -> list[str]:
        features = self.add_features(graph)
        return [self.add_head(graph, features), features]

    def outputs(self) -> dict[str, Dimensions]:
        features = ("batch", self.model.branch.in_channels, "map_rows", "map_columns")
        return super().outputs() | {"features": features}

    def run(self, images: np.ndarray) -> list[np.ndarray]:
        features = self.model.features(ops.array(images))
        return [ops.numpy(ops.sigmoid(self.model.head(features)))[:, 0], ops.numpy(features)]
