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

    @staticmethod
    def finest(features):
        """The map that regions are cut out of: the neck's, or the finest of them."""
        return features[0] if isinstance(features, list) else features

    def cut(self, features, quads: Quads, widths: np.ndarray):
        """The regions (R, C, height, W) of the neck's map, or its finest, of `widths` (R,) columns."""
        return cut_regions(self.finest(features), quads, widths, self.map_stride, self.spec.region)

    def freeze_spotting(self, arrays: dict[str, np.ndarray]):
        """A network from photographs to (H·W, N, C + f²): for each place of the neck's map, row by row, its features
        and the probabilities of the f x f places of the head's map that are there. `unfold` takes them apart.
        """
        images, features = self.freeze_features(arrays)
        images.kept["features"] = features
        probabilities = self.freeze_head(images, features)
        folded = images.unused(probabilities)
        images.network.fold(probabilities, folded, (self.head.factor,) * 2)
        images.network.concat([features, folded], images.unused(folded))
        images.network.end_maps("grid")
        return images.network

    def unfold(self, seen: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """What such a network makes of one photograph of that size: its map, channels last, of which the first C are
        the neck's features (H, W, C + f²), and probabilities (H·f, W·f).
        """
        rows, columns, factor = height // self.map_stride, width // self.map_stride, self.head.factor
        maps = seen.reshape(rows, columns, -1)
        blocks = maps[..., self.neck.out_channels :].reshape(rows, columns, factor, factor)
        return maps, blocks.transpose(0, 2, 1, 3).reshape(rows * factor, columns * factor)

    def cut_fast(self, maps: np.ndarray, quads: Sequence[np.ndarray], width: int) -> np.ndarray:
        """As `cut`, by the CPU kernels: regions (R, C, height, width) of one photograph's map, channels last, for
        reading alone.
        """
        from crnn_jt.backend.fast.regions import cut_regions as cut_fast

        places = place_regions(quads, width, self.map_stride, self.spec.region)
        return cut_fast(maps, self.neck.out_channels, places)

    def losses(self, images, targets: dict[str, np.ndarray], words: Words) -> dict[str, Any]:
        """Those of the head, and `text`: -log p of the words, the mean of a photograph's, and of all photographs."""
        features = self.features(images)
        sequence, lengths = self.look_inside(features, words.quads, words.widths)
        text = self.text_loss(self.refine(sequence, lengths), lengths, words)
        return {**self.head.losses(features, targets), "text": text}
