"""The spotter: finds text in photographs and reads it from the same features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from crnn_jt.layers import Layer
from crnn_jt.models.base import MODELS
from crnn_jt.models.branch import Quads, ReadsRegions, Words
from crnn_jt.models.detector import Detector
from crnn_jt.regions import cut_regions, place_regions
from crnn_jt.spec import SpotterSpec


@MODELS.register("spotter")
class Spotter(ReadsRegions, Detector):
    """A detector whose neck's map is read too: beside what passes between the stages of a detector, that of
    `ReadsRegions`. Raises UserError where the stages do not fit together.
    """

    task = "spotting"

    def __init__(self, spec: SpotterSpec):
        super().__init__(spec)
        self.map_stride = spec.image.height // int(self.shapes(spec.image.height, spec.image.width)[0].height)
        self.add_branch(spec, self.neck.out_channels)

    def named_layers(self) -> dict[str, Layer]:
        """Every layer that holds arrays, by its key: the stage's name first."""
        return super().named_layers() | self.branch_layers()

    def cost(self, height: int, width: int, regions: Sequence[int] = (), symbols: int = 0) -> int:
        """Multiply-adds of one photograph of that size with `regions`, of so many columns each, read as that many
        `symbols` each.
        """
        return super().cost(height, width) + sum(self.region_cost(columns, symbols) for columns in regions)

    def cut(self, features, quads: Quads, widths: np.ndarray):
        """The regions (R, C, height, W) of the neck's map, or its finest, of `widths` (R,) columns."""
        return cut_regions(_finest(features), quads, widths, self.map_stride, self.spec.region)

    def cut_fast(self, features, quads: Sequence[np.ndarray], width: int) -> np.ndarray:
        """As `cut`, by the CPU kernels: regions (R, C, height, width) of one photograph's map (1, C, H, W), or its
        finest, for reading alone.
        """
        from crnn_jt.backend.fast.regions import cut_regions as cut_fast

        return cut_fast(_finest(features)[0], place_regions(quads, width, self.map_stride, self.spec.region))

    def losses(self, images, targets: dict[str, np.ndarray], words: Words) -> dict[str, Any]:
        """Those of the head, and `text`: -log p of the words, the mean of a photograph's, and of all photographs."""
        features = self.features(images)
        sequence, lengths = self.look_inside(features, words.quads, words.widths)
        text = self.text_loss(self.refine(sequence, lengths), lengths, words)
        return {**self.head.losses(features, targets), "text": text}


def _finest(features):
    return features[0] if isinstance(features, list) else features
