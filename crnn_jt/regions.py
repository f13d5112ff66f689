"""Regions cut out of feature maps: perspective undone while sampling, what lies beyond a region's own width masked.

In the manner of RoIRotate and its followers (Liu et al., "FOTS: fast oriented text spotting with a unified network",
CVPR 2018, section 3.3), with the whole homography of the quad instead of a rotation.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import cv2
import numpy as np

from crnn_jt.backend import ops
from crnn_jt.boxes import around, to_quads
from crnn_jt.spec import RegionSpec
from data_tools.photos.cutting import measure
from data_tools.transforms import ResizeProportional

OUTSIDE = -9.0
"""A place beyond the map, in its pixels: what is read there is zero."""


def widths_of(quads: Sequence[np.ndarray], spec: RegionSpec) -> np.ndarray:
    """How many columns each region gets, (R,): in proportion to its sides, within what the spec allows."""
    rule = ResizeProportional(spec.height, spec.min_width, spec.max_width, spec.multiple)
    return np.array([rule.width_of(*measure(quad)) for quad in quads], np.int32)


def place_grid(quad: np.ndarray, height: int, width: int, columns: int) -> np.ndarray:
    """Where in a picture the places of a region of `height` x `width` lie, (height, columns, 2) of x and y in pixels;
    those of the columns after `width` are NaN. `quad` (4, 2) begins at the top left as read.
    """
    square = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
    matrix = cv2.getPerspectiveTransform(square, np.float32(quad))
    x, y = np.meshgrid(np.arange(columns) + 0.5, np.arange(height) + 0.5)
    points = cv2.perspectiveTransform(np.stack([x, y], -1).reshape(1, -1, 2), matrix).reshape(height, columns, 2)
    points[:, width:] = np.nan
    return points


def mask_grid(quad: np.ndarray, height: int, width: int, columns: int) -> np.ndarray:
    """The same for the box around a quad; places outside of the quad are NaN."""
    points = place_grid(to_quads(around(quad)[None])[0], height, width, columns)
    sides = np.roll(quad, -1, axis=0) - quad  # clockwise: what lies inside is to the right of each side
    off = points[:, :, None] - quad  # (height, columns, 4, 2)
    turned = sides[:, 0] * off[..., 1] - sides[:, 1] * off[..., 0]
    inside = (turned >= 0).all(-1) | (turned <= 0).all(-1)
    return np.where(inside[..., None], points, np.nan)


def to_map(points: np.ndarray, stride: int) -> np.ndarray:
    """Points (…, 2) in pixels of a picture as those of a map at a `stride`-th of it, 0 the centre of its first; NaN
    lies outside.
    """
    return np.where(np.isnan(points), OUTSIDE, points / stride - 0.5).astype(np.float32)


def place_regions(quads: Sequence[np.ndarray], width: int, stride: int, spec: RegionSpec) -> np.ndarray:
    """Where in a map at a `stride`-th of its picture the places of regions of `width` columns lie along quads (4, 2),
    in its pixels: float32 (R, height, width, 2) of (across, down), `OUTSIDE` where nothing is to be read.
    """
    place = mask_grid if spec.masked else place_grid
    return to_map(np.stack([place(quad, spec.height, width, width) for quad in quads]), stride)


def cut_regions(maps, quads: Sequence[Sequence[np.ndarray]], widths: np.ndarray, stride: int, spec: RegionSpec):
    """Regions (R, C, height, W) of maps (N, C, H, W) at a `stride`-th of their pictures; columns after a region's own
    width, of `widths` (R,), are zero, and of a masked box what lies outside of the quad. `quads[n]` are those of
    picture n in its pixels; there is one at least in all. Differentiable in the maps.
    """
    place, columns = mask_grid if spec.masked else place_grid, int(max(widths))
    found, each = [], iter(widths)
    for number, own in enumerate(quads):
        if len(own):
            points = [place(quad, spec.height, int(next(each)), columns) for quad in own]
            found.append(sample_regions(maps[number], points, stride))
    return ops.concat(found, 0)


def level_of(boxes: np.ndarray, count: int) -> np.ndarray:
    """The level, of `count`, from which each box (B, 4) is cut, (B,): large ones from coarse levels (Lin et al., 2017,
    equation 1); the coarsest serves proposals alone.
    """
    areas = np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(1), 1.0)
    return np.clip(np.floor(2 + np.log2(np.sqrt(areas) / 224)), 0, count - 2).astype(int)


def sort_by_level(boxes: np.ndarray, count: int) -> np.ndarray:
    """Boxes (B, 4) of neighbouring levels together, so that they are cut at once."""
    boxes = boxes.astype(np.float32)
    return boxes[np.argsort(level_of(boxes, count), kind="stable")]


def cut_boxes(levels: list, chosen: Sequence[np.ndarray], stride: int, side: int):
    """Squares (B, C, side, side) of the boxes (b, 4) of each photograph in turn; `levels` are from fine, at a
    `stride`-th, to coarse. Each pixel is the mean of two samples each way.
    """
    found = []
    for number, boxes in enumerate(chosen):
        numbered = zip(level_of(boxes, len(levels)).tolist(), to_quads(boxes))
        for level, group in groupby(numbered, key=lambda pair: pair[0]):
            points = [place_grid(quad, 2 * side, 2 * side, 2 * side) for _, quad in group]
            cut = sample_regions(levels[level][number], points, stride * 2**level)
            count, channels = cut.shape[:2]
            found.append(cut.reshape((count, channels, side, 2, side, 2)).mean(5).mean(3))
    return ops.concat(found, 0)


def sample_regions(features, points: list[np.ndarray], stride: int):
    """What stands in one map (C, H, W) at the points, R times (height, columns, 2), -> (R, C, height, columns)."""
    height, columns = points[0].shape[:2]
    places = to_map(np.stack(points), stride).reshape(-1, 2)
    cut = ops.sample(features, places)  # (C, R · height · columns)
    return cut.reshape((features.shape[0], len(points), height, columns)).permute(1, 0, 2, 3)
