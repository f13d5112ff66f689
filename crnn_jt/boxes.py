"""Boxes upright in a photograph, float32 (B, 4) of left, top, right, bottom: anchors, offsets, overlaps, suppression.

Source: Ren et al., "Faster R-CNN" (NIPS 2015), sections 3.1 and 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from crnn_jt.decoding.regions import Found, grow_box
from data_tools.polygons import min_area_box

RATIOS = (0.2, 0.5, 1.0, 2.0)
"""Height by width of anchors: words are wide."""
ANCHOR = 8.0
"""An anchor's side in pixels of its level."""
STEEPEST = np.log(1000 / 16)
"""Of a logarithm of sizes (Detectron's)."""


def make_anchors(sizes: Sequence[tuple[int, int]], strides: Sequence[int]) -> np.ndarray:
    """Anchors of levels of (height, width), those of a place together, the places of a level row by row."""
    found = []
    for (height, width), stride in zip(sizes, strides):
        side = ANCHOR * stride
        half = np.array([[side / ratio**0.5 / 2, side * ratio**0.5 / 2] for ratio in RATIOS])  # (A, 2)
        x, y = np.meshgrid((np.arange(width) + 0.5) * stride, (np.arange(height) + 0.5) * stride)
        middles = np.stack([x, y], -1).reshape(-1, 1, 2)
        found.append(np.concatenate([middles - half, middles + half], -1).reshape(-1, 4))
    return np.concatenate(found).astype(np.float32)


def encode(boxes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Offsets (B, 4) of boxes from anchors: of the middle by the anchor's size, logarithms of the sizes."""
    size, middle = anchors[:, 2:] - anchors[:, :2], (anchors[:, 2:] + anchors[:, :2]) / 2
    own, at = np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-3), (boxes[:, 2:] + boxes[:, :2]) / 2
    return np.concatenate([(at - middle) / size, np.log(own / size)], 1).astype(np.float32)


def decode(offsets: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """The boxes at these offsets from anchors."""
    size, middle = anchors[:, 2:] - anchors[:, :2], (anchors[:, 2:] + anchors[:, :2]) / 2
    at, own = middle + offsets[:, :2] * size, size * np.exp(np.minimum(offsets[:, 2:], STEEPEST))
    return np.concatenate([at - own / 2, at + own / 2], 1).astype(np.float32)


def clip(boxes: np.ndarray, height: float, width: float) -> np.ndarray:
    """The boxes, what lies outside of a photograph cut off."""
    return np.clip(boxes, 0, np.float32([width, height, width, height]))


def overlaps(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of each pair, (len(some), len(others))."""
    low = np.maximum(some[:, None, :2], others[None, :, :2])
    high = np.minimum(some[:, None, 2:], others[None, :, 2:])
    shared = np.maximum(high - low, 0).prod(2)
    areas = [np.maximum(boxes[:, 2:] - boxes[:, :2], 0).prod(1) for boxes in (some, others)]
    return shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-9)


def suppress(boxes: np.ndarray, scores: np.ndarray, most: float, count: int) -> np.ndarray:
    """The numbers of at most `count` boxes, best first, none of which overlaps a better one by more than `most`."""
    left, kept = np.argsort(-scores, kind="stable"), []
    while len(left) and len(kept) < count:
        kept.append(int(left[0]))
        shared = overlaps(boxes[left[:1]], boxes[left[1:]])[0]
        left = left[1:][shared <= most]
    return np.array(kept, np.int64)


def around(polygon: np.ndarray) -> np.ndarray:
    """The box around points (P, 2)."""
    return np.concatenate([polygon.min(0), polygon.max(0)]).astype(np.float32)


def to_quads(boxes: np.ndarray) -> list[np.ndarray]:
    """Each box as a quad (4, 2) from its top left, clockwise."""
    return list(boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2))


def draw_mask(quad: np.ndarray, box: np.ndarray, side: int) -> np.ndarray:
    """Which pixels of a square of a box lie in a quad, (side, side) of 0 and 1."""
    scale = side / np.maximum(box[2:] - box[:2], 1e-3)
    mask = np.zeros((side, side), np.uint8)
    cv2.fillPoly(mask, [np.round((quad - box[:2]) * scale - 0.5).astype(np.int32)], 1)
    return mask.astype(np.float32)


def outline(mask: np.ndarray, box: np.ndarray, score: float) -> Found:
    """The region that a square of a box shows: the smallest rectangle around its largest piece; of none the box."""
    contours, _ = cv2.findContours(np.uint8(mask), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    quad = to_quads(box[None])[0]
    if contours:
        largest = max(contours, key=cv2.contourArea)[:, 0].astype(np.float32) + 0.5
        scale = (box[2:] - box[:2]) / len(mask)
        quad = np.float32(grow_box(min_area_box(largest * scale + box[:2]), float(scale.mean()) / 2))
    return Found(quad, quad, score)
