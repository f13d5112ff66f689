"""From a detector's map of probabilities to regions: contours, their score, the smallest rectangle, grown again.

Source: Liao et al., "Real-time scene text detection with differentiable binarization" (AAAI 2020), section 3.6. All
functions are pure; maps are float32 (H, W), points float32 (P, 2) of x and y in pixels of the map, a pixel's centre
half a pixel from its corner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from data_tools.polygons import offset

CURVED = 0.7
"""An outline that covers less than this share of its smallest rectangle is kept as it is."""


@dataclass(frozen=True)
class Rule:
    """How regions are read off a map: pixels above `threshold` belong to text, a region's mean is at least `score`, it
    is grown by `growth` · area / perimeter, and its short side is `side` pixels of the map or more, once grown.
    """

    threshold: float = 0.3
    score: float = 0.6
    growth: float = 1.5
    side: float = 3.0


USUAL = Rule()


@dataclass(frozen=True)
class Found:
    """A region: its outline (P, 2), the smallest rectangle around it (4, 2) from its top left, and its score, 0-1."""

    polygon: np.ndarray
    quad: np.ndarray
    score: float


def enlarge(region: Found, scale: np.float32) -> Found:
    """A region in pixels that are so many times smaller."""
    return Found(region.polygon * scale, region.quad * scale, region.score)


def find_regions(probability: np.ndarray, rule: Rule = USUAL) -> list[Found]:
    """The regions of a map, in no particular order."""
    scored = [(score_inside(probability, each), each) for each in find_contours(probability, rule.threshold)]
    scored = [(score, contour) for score, contour in scored if score >= rule.score]
    if not scored:
        return []
    boxes = _Boxes.around([contour for _, contour in scored]).grow(0.5)  # contours run through the centres of pixels
    grown = boxes.grow(rule.growth * boxes.area / boxes.perimeter)
    areas, quads, found = boxes.area.tolist(), grown.corners, []
    for n in np.flatnonzero(grown.sides.min(1) >= rule.side):
        score, contour = scored[n]
        found.append(Found(_outline(contour, areas[n], quads[n], rule), quads[n], score))
    return found


def find_contours(probability: np.ndarray, threshold: float) -> list[np.ndarray]:
    """The outer contours of what lies above a threshold: the outermost pixels, int32 (P, 2), 0 the first."""
    contours, _ = cv2.findContours(np.uint8(probability > threshold), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [contour[:, 0] for contour in contours]


def score_inside(probability: np.ndarray, contour: np.ndarray) -> float:
    """The mean of a map inside a contour, the contour included."""
    left, top, width, height = cv2.boundingRect(contour)
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [contour], 1, offset=(-left, -top))
    return cv2.mean(probability[top : top + height, left : left + width], mask)[0]


@dataclass(frozen=True)
class _Boxes:
    """Rectangles, turned as they may be: centres, sides along and down, and the direction along, (N, 2) each."""

    centres: np.ndarray
    sides: np.ndarray
    along: np.ndarray

    @staticmethod
    def around(contours: Sequence[np.ndarray]) -> _Boxes:
        """The smallest one around each contour, from its top left as it is seen: the side that runs most to the right
        comes first (of two alike, downwards), be it long or short, as of `data_tools.polygons.min_area_box`.
        """
        found = np.array([(*centre, *size, angle) for centre, size, angle in map(cv2.minAreaRect, contours)])
        centres, sides, angles = found[:, :2] + 0.5, found[:, 2:4], np.radians(found[:, 4])
        x, y = np.cos(angles), np.sin(angles)
        ways = np.stack([np.stack(way, 1) for way in ((x, y), (-y, x), (-x, -y), (y, -x))], 1).round(6)  # (N, 4, 2)
        best = (ways[..., 0] + 1e-7 * ways[..., 1]).argmax(1)
        sides = np.where(best[:, None] % 2, sides[:, ::-1], sides)
        return _Boxes(centres, sides, ways[np.arange(len(ways)), best])

    @property
    def area(self) -> np.ndarray:
        """In pixels, (N,)."""
        return self.sides.prod(1)

    @property
    def perimeter(self) -> np.ndarray:
        """In pixels, (N,)."""
        return 2 * self.sides.sum(1)

    def grow(self, distance: float | np.ndarray) -> _Boxes:
        """Each side moved outwards by a distance, or by each box's own (N,)."""
        return replace(self, sides=self.sides + 2 * np.reshape(distance, (-1, 1)))

    @property
    def corners(self) -> np.ndarray:
        """float32 (N, 4, 2), clockwise from the top left."""
        signs = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
        axes = np.stack([self.along, np.stack([-self.along[:, 1], self.along[:, 0]], 1)], 1) * self.sides[:, :, None]
        return (self.centres[:, None] + signs @ axes).astype(np.float32)


def _outline(contour: np.ndarray, covered: float, quad: np.ndarray, rule: Rule) -> np.ndarray:
    """The grown outline of a contour that covers little of its smallest rectangle; else that, grown."""
    own, length = cv2.contourArea(contour), cv2.arcLength(contour, True)
    pixels = own + length / 2 + 1  # Pick's theorem: the contour leaves half of the outermost pixels out
    if len(contour) <= 4 or pixels >= CURVED * covered:
        return quad
    distance = 0.5 + rule.growth * own / max(length, 1e-6)
    grown = offset(contour.astype(np.float32) + np.float32(0.5), distance)
    return cv2.approxPolyDP(grown[0], 1.0, True)[:, 0] if grown else quad


def grow_box(quad: np.ndarray, distance: float) -> np.ndarray:
    """A rectangle (4, 2), turned as it may be, with each side moved outwards by a distance."""
    along, down = _unit(quad[1] - quad[0]), _unit(quad[3] - quad[0])
    if not along.any():
        along = np.float32([down[1], -down[0]]) if down.any() else np.float32([1, 0])
    if not down.any():
        down = np.float32([-along[1], along[0]])
    signs = np.float32([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    return np.float32(quad + distance * (signs[:, :1] * along + signs[:, 1:] * down))


def _unit(side: np.ndarray) -> np.ndarray:
    length = float(np.linalg.norm(side))
    return side / length if length else np.zeros_like(side)
