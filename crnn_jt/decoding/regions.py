"""From a detector's map of probabilities to regions: contours, their score, the smallest rectangle, grown again.

Source: Liao et al., "Real-time scene text detection with differentiable binarization" (AAAI 2020), section 3.6. All
functions are pure; maps are float32 (H, W), points float32 (P, 2) of x and y in pixels of the map, a pixel's centre
half a pixel from its corner.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from data_tools.polygons import area, min_area_box, offset, perimeter

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
    found = (_read(probability, contour, rule) for contour in find_contours(probability, rule.threshold))
    return [region for region in found if region is not None]


def find_contours(probability: np.ndarray, threshold: float) -> list[np.ndarray]:
    """The outer contours, through the centres of the outermost pixels, of what lies above a threshold."""
    contours, _ = cv2.findContours(np.uint8(probability > threshold), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [contour[:, 0].astype(np.float32) + 0.5 for contour in contours]


def score_inside(probability: np.ndarray, polygon: np.ndarray) -> float:
    """The mean of a map inside a polygon."""
    low = np.clip(np.floor(polygon.min(0)).astype(int), 0, np.array(probability.shape[::-1]) - 1)
    high = np.ceil(polygon.max(0)).astype(int) + 1
    piece = probability[low[1] : high[1], low[0] : high[0]]
    mask = np.zeros(piece.shape, np.uint8)
    cv2.fillPoly(mask, [np.round(polygon - low - 0.5).astype(np.int32)], 1)
    return float(cv2.mean(piece, mask)[0])


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


def _read(probability: np.ndarray, contour: np.ndarray, rule: Rule) -> Found | None:
    score = score_inside(probability, contour)
    if score < rule.score:
        return None
    inner = grow_box(min_area_box(contour), 0.5)  # contours run through the centres of pixels
    quad = grow_box(inner, rule.growth * area(inner) / perimeter(inner))
    if min(np.linalg.norm(quad[1] - quad[0]), np.linalg.norm(quad[3] - quad[0])) < rule.side:
        return None
    polygon = quad
    if len(contour) > 4 and area(contour) < CURVED * area(inner):
        grown = offset(contour, 0.5 + rule.growth * area(contour) / max(perimeter(contour), 1e-6))
        polygon = cv2.approxPolyDP(grown[0], 1.0, True)[:, 0] if grown else quad
    return Found(polygon, quad, score)
