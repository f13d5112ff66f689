"""What a detector by differentiable binarisation is to give for a photograph, and random pieces of photographs.

Source: Liao et al., "Real-time Scene Text Detection with Differentiable Binarization" (AAAI 2020), section 3.5: each
outline is shrunk by D = A (1 - r²) / L (area A, perimeter L, r = 0.4); the border map falls from 0.7 on the outline to
0.3 at the distance D of it, inside and outside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from data_tools.polygons import area, offset, perimeter
from data_tools.sample import Region

LOW, HIGH = 0.3, 0.7
"""Of the border map."""
THINNEST = 3.0
"""Words less high than this in pixels of the input are left out of the losses: nobody could say what is inside."""


@dataclass(frozen=True)
class ShrunkMaps:
    """Maps of a photograph at a `stride`-th of its size, uint8 (H / stride, W / stride) each.

    `shrunk` is 1 inside shrunk words, `valid` is 0 where nobody is to find or blamed for finding; `border` is the
    border map times 255, `banded` 1 where it counts. The photograph's sides are multiples of the stride.
    """

    stride: int = 1
    ratio: float = 0.4

    def __call__(self, regions: Sequence[Region], height: int, width: int) -> Mapping[str, np.ndarray]:
        size = height // self.stride, width // self.stride
        shrunk, valid = np.zeros(size, np.uint8), np.ones(size, np.uint8)
        border, banded = np.zeros(size, np.float32), np.zeros(size, np.uint8)
        for region in regions:
            polygon = np.asarray(region.polygon, np.float32) / self.stride
            distance = self.distance(polygon)
            parts = offset(polygon, -distance) if region.legible and self._is_thick(region) else []
            if not parts:
                fill(valid, polygon, 0)
                continue
            for part in parts:
                fill(shrunk, part, 1)
                fill(valid, part, 1)  # where words overlap, what is to be found stays so
            _draw_border(border, banded, polygon, distance)
        band = np.where(banded > 0, LOW + (HIGH - LOW) * border, 0)
        return {"shrunk": shrunk, "valid": valid, "border": np.uint8(np.rint(band * 255)), "banded": banded}

    def distance(self, polygon: np.ndarray) -> float:
        """By how much an outline is shrunk, in its own pixels."""
        length = perimeter(polygon)
        return area(polygon) * (1 - self.ratio**2) / length if length else 0.0

    @staticmethod
    def _is_thick(region: Region) -> bool:
        length = perimeter(region.polygon)
        return length > 0 and 2 * area(region.polygon) / length >= THINNEST * 0.6


def fill(mask: np.ndarray, polygon: np.ndarray, value: int) -> None:
    """Fills a polygon (P, 2) in a map (h, w), in place: the pixels whose centres lie inside, and those on its edge."""
    cv2.fillPoly(mask, [np.round(polygon - 0.5).astype(np.int32)], value)


def _draw_border(border: np.ndarray, banded: np.ndarray, polygon: np.ndarray, distance: float) -> None:
    """Adds an outline's band: 1 on the outline, 0 at `distance`; of two bands the nearer outline's counts."""
    grown = offset(polygon, distance)
    if not grown or distance < 0.5:
        return
    low = np.maximum(np.floor(grown[0].min(0)).astype(int), 0)
    high = np.minimum(np.ceil(grown[0].max(0)).astype(int) + 1, border.shape[::-1])
    if (high <= low).any():
        return
    rows, columns = slice(low[1], high[1]), slice(low[0], high[0])
    x, y = np.meshgrid(np.arange(low[0], high[0]) + 0.5, np.arange(low[1], high[1]) + 0.5)
    away = np.full(x.shape, np.inf, np.float32)
    for start, end in zip(polygon, np.roll(polygon, -1, axis=0)):
        away = np.minimum(away, _from_segment(x, y, start, end))
    near = np.clip(1 - away / distance, 0, 1)
    np.maximum(border[rows, columns], near, out=border[rows, columns])
    fill(banded, grown[0], 1)


def _from_segment(x: np.ndarray, y: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Distances of points (h, w) from a line segment."""
    dx, dy = end - start
    length = max(float(dx * dx + dy * dy), 1e-9)
    along = np.clip(((x - start[0]) * dx + (y - start[1]) * dy) / length, 0, 1)
    return np.hypot(x - start[0] - along * dx, y - start[1] - along * dy).astype(np.float32)
