"""Random pieces of photographs for training, with the regions that are in them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from PIL import Image

from data_tools.images import to_channels
from data_tools.photos.lines import JoinLines
from data_tools.polygons import area, clip
from data_tools.sample import Region, Sample

WHOLE = 0.9
"""A word of which less than this share is in the piece is not judged."""


@dataclass(frozen=True)
class Crop:
    """A piece of `height` x `width` of a photograph turned by up to `rotation` degrees and scaled by a factor in
    `scale`, mostly around a word (Liao et al., AAAI 2020, section 4.2: ±10 degrees, 0.5 to 3). Beyond the photograph it
    is grey.
    """

    height: int
    width: int
    rotation: float = 10.0
    scale: tuple[float, float] = (0.5, 2.0)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        image = to_channels(sample.image, 3)
        matrix = self._draw_matrix(sample.regions, image.size, rng)
        pixels = cv2.warpAffine(
            np.asarray(image), matrix, (self.width, self.height), flags=cv2.INTER_LINEAR, borderValue=(127, 127, 127)
        )
        regions = (self._see(region, matrix) for region in sample.regions)
        found = tuple(region for region in regions if region is not None)
        return replace(sample, image=Image.fromarray(pixels), regions=found)

    def _draw_matrix(self, regions: tuple[Region, ...], size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
        """(2, 3): from the photograph's pixels to the piece's."""
        low, high = self.scale
        factor = low * (high / low) ** rng.random()
        angle = np.deg2rad(rng.uniform(-self.rotation, self.rotation))
        if regions and rng.random() < 0.8:
            focus = regions[int(rng.integers(len(regions)))].polygon.mean(0)
        else:
            focus = rng.random(2) * size
        place = (rng.random(2) * 0.8 + 0.1) * (self.width, self.height)
        turn = factor * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return np.column_stack([turn, place - turn @ focus])

    def _see(self, region: Region, matrix: np.ndarray) -> Region | None:
        """A region as it is in the piece; None where nothing of it is."""
        polygon = np.float32(region.polygon @ matrix[:, :2].T + matrix[:, 2])
        low, high = polygon.min(0), polygon.max(0)
        if (low >= 0).all() and (high <= (self.width, self.height)).all():
            return replace(region, polygon=polygon)
        parts = clip(polygon, self.width, self.height)
        if not parts:
            return None
        whole = area(parts[0]) >= WHOLE * area(polygon)
        return replace(region, polygon=parts[0], legible=region.legible and whole)


@dataclass(frozen=True)
class Prepare:
    """What is done to a photograph before it is fitted: its words joined to lines, a random piece cut out."""

    join: JoinLines | None
    crop: Crop | None

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        sample = sample if self.join is None else self.join(sample)
        return sample if self.crop is None else self.crop(sample, rng)
