"""The detector: where in a photograph is text."""

from __future__ import annotations

from typing import Any

import numpy as np

from crnn_jt import extractors, heads, necks  # noqa: F401  (the stages register themselves)
from crnn_jt.backend import no_grad, ops
from crnn_jt.decoding.regions import Found
from crnn_jt.layers import Activation, Layer, Shape, cost
from crnn_jt.models.base import MODELS, Model
from crnn_jt.registry import EXTRACTORS, HEADS, NECKS
from crnn_jt.spec import DetectorSpec
from data_tools.errors import UserError


@MODELS.register("detector")
class Detector(Model):
    """Photographs -> maps of text. Raises UserError where the stages do not fit together.

    Between the stages pass: photographs (N, C, H, W), H and W multiples of `multiple`; the extractor's maps from fine
    to coarse; the neck's one map, or one for each size; what the head makes of it, such as logits (N, 1, H / stride,
    W / stride).
    """

    task = "detection"

    def __init__(self, spec: DetectorSpec):
        super().__init__()
        self.spec = spec
        self.extractor = EXTRACTORS.build_stage(spec.extractor, in_channels=spec.image.channels)
        if not self.extractor.taps:
            raise UserError(f"extractor {spec.extractor.name}: has one map only; a detector takes one with several")
        shapes = self.shapes(spec.image.height, spec.image.width)
        self.multiple = spec.image.height // int(shapes[-1].height) if shapes[-1].height else 0
        for name in ("height", "width"):
            if not self.multiple or getattr(spec.image, name) % self.multiple:
                raise UserError(f"image.{name} {getattr(spec.image, name)}: it takes a multiple of 32")
        self.neck = NECKS.build_stage(spec.neck, channels=tuple(shape.channels for shape in shapes))
        finest = spec.image.height // int(shapes[0].height)
        self.head = HEADS.build_stage(spec.head, in_channels=self.neck.out_channels, stride=finest)
        factor = self.head.factor
        if factor > finest:
            raise UserError(f"head {spec.head.name}: enlarges {factor} times what is a {finest}th; lower doublings")
        self.stride = finest // factor

    def shapes(self, height: int, width: int) -> list[Shape]:
        """The extractor's maps for a photograph of that size."""
        return self.extractor.pyramid_shapes(height, width)

    def named_layers(self) -> dict[str, Layer]:
        """Every layer that holds arrays, by its key: the stage's name first."""
        stages = {"extractor": self.extractor, "neck": self.neck, "head": self.head}
        return {f"{name}.{key}": layer for name, stage in stages.items() for key, layer in stage.named_layers().items()}

    def cost(self, height: int, width: int) -> int:
        """Multiply-adds of reading one photograph of that size."""
        shapes, plan = self.shapes(height, width), self.extractor.layers()
        last = max(self.extractor.taps) + 1
        extractor = cost(plan[:last], self.spec.image.channels, height, width)
        return extractor + self.neck.cost(shapes) + self.head.cost(self.neck.out_shape(shapes))

    def features(self, images):
        """The neck's map or maps."""
        return self.neck(self.extractor.pyramid(images))

    def execute(self, images):
        """Logits (N, 1, H / stride, W / stride) of being well inside text."""
        return self.head(self.features(images))

    def losses(self, images, targets: dict[str, np.ndarray]) -> dict[str, Any]:
        """Means over photographs by name."""
        return self.head.losses(self.features(images), targets)

    def find(self, features, sizes: np.ndarray) -> list[list[Found]]:
        """The regions of each photograph of `sizes` (N, 2), height and width without padding, in its pixels, by the
        neck's map; the module in eval mode.
        """
        with no_grad():
            return self.head.find(features, sizes)

    def probabilities(self, images: np.ndarray, network=None) -> np.ndarray:
        """Photographs float32 (N, C, H, W) in [-1, 1] -> (N, H / stride, W / stride), on a frozen `network` where there
        is one; the module in eval mode.
        """
        if network is not None:
            return network.run(images)[:, 0]
        logits = self.execute(ops.array(images))
        return ops.numpy(ops.sigmoid(logits))[:, 0]

    def freeze(self, arrays: dict[str, np.ndarray]):
        """A network from photographs to probabilities (N, 1, H / stride, W / stride)."""
        images, features = self.freeze_features(arrays)
        self.freeze_head(images, features)
        images.network.end_maps("maps")
        return images.network

    def freeze_features(self, arrays: dict[str, np.ndarray]) -> tuple:
        """The layers of a network up to the neck's map, to which others can be added, and the place of the map."""
        from crnn_jt.freeze import Images, NotCovered, begin_network

        if not self.head.by_map:
            raise NotCovered(f"the head {self.spec.head.name}")
        images = Images(begin_network(self.spec.image.channels), arrays)
        plan, value, first = self.extractor.layers(), 0, 0
        for level, tap in enumerate(self.extractor.taps):
            value = images.emit_plan(plan[first : tap + 1], value, "extractor.stack.", first=first)
            images.kept[f"c{level}"], first = value, tap + 1
        value = images.emit_plan(self.neck.layers(), value, "neck.stack.")
        images.kept.clear()
        return images, value

    def freeze_head(self, images, features: int) -> int:
        """The layers from there to probabilities; returns their place."""
        return images.emit_plan((*self.head.layers(), Activation("sigmoid")), features, "head.shrink.")
