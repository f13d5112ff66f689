"""Geometry of text regions: polygons float32 (P, 2) of x and y in pixels, y downwards, no point said twice.

Areas and boxes are numpy; what cuts or joins outlines is GEOS by way of shapely, since outlines drawn by people cross
themselves, and those of curved text are not convex.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely

MITRE_LIMIT = 5.0
"""Sharper corners of an outline that grows are cut off at this many distances; GEOS's own default."""


def area(polygon: np.ndarray) -> float:
    """The area in square pixels of a polygon that does not cross itself (shoelace formula)."""
    return abs(_signed_area(polygon))


def perimeter(polygon: np.ndarray) -> float:
    """The length of the outline in pixels."""
    return float(np.linalg.norm(_next(polygon) - polygon, axis=1).sum())


def orient(polygon: np.ndarray) -> np.ndarray:
    """The polygon clockwise as it is seen, beginning with the same point."""
    return polygon if _signed_area(polygon) >= 0 else np.roll(polygon[::-1], 1, axis=0)


def clip(polygon: np.ndarray, width: float, height: float) -> list[np.ndarray]:
    """The parts of a polygon inside a picture: none where it lies outside, several where the edge cuts it in pieces."""
    return _outlines(shapely.intersection(_shape(polygon), shapely.box(0, 0, width, height)))


def leaves(polygon: np.ndarray, width: float, height: float) -> bool:
    """Whether a part of the polygon lies outside of a picture; an outline on its edge does not."""
    return bool((polygon < 0).any() or (polygon > (width, height)).any())


def is_simple(polygon: np.ndarray) -> bool:
    """Whether the outline never crosses or touches itself."""
    return bool(shapely.is_valid(shapely.Polygon(np.asarray(polygon, np.float64))))


def offset(polygon: np.ndarray, distance: float, round_corners: bool = True) -> list[np.ndarray]:
    """The polygon grown by `distance` pixels on all sides, or shrunk by a negative one.

    One that shrinks may vanish (no polygon) or fall apart (several).
    """
    joins = "round" if round_corners else "mitre"
    return _outlines(shapely.buffer(_shape(polygon), distance, join_style=joins, mitre_limit=MITRE_LIMIT))


def min_area_box(points: np.ndarray) -> np.ndarray:
    """The smallest rectangle, turned as need be, around points (P, 2): float32 (4, 2), clockwise as it is seen.

    It begins at its top left as it is seen, with the side that runs most to the right, be it long or short: whether
    text runs along it is for the caller to say. Source: one side of the box lies along the convex hull (Freeman and
    Shapira 1975), so each edge of the hull is tried.
    """
    hull = _hull(points)
    edges = _next(hull) - hull
    lengths = np.linalg.norm(edges, axis=1)
    along = edges[lengths > 0] / lengths[lengths > 0, None] if lengths.any() else np.array([[1.0, 0.0]])
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    u, v = hull @ along.T, hull @ across.T  # (points, edges)
    low, high = np.stack([u.min(0), v.min(0)], axis=1), np.stack([u.max(0), v.max(0)], axis=1)  # (edges, 2)
    best = int(np.prod(high - low, axis=1).argmin())
    axes, low, high = np.stack([along[best], across[best]]), low[best], high[best]
    corners = np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]]) @ axes
    return _from_top_left(corners).astype(np.float32)


def intersections(some: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> np.ndarray:
    """The areas that each polygon of `some` shares with each of `others`: float64 (len(some), len(others))."""
    return shapely.area(shapely.intersection(_shapes(some)[:, None], _shapes(others)[None]))


def iou(some: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> np.ndarray:
    """Intersection over union of each pair: float64 (len(some), len(others)), 0 to 1; 0 where both have no area."""
    shared = intersections(some, others)
    union = shapely.area(_shapes(some))[:, None] + shapely.area(_shapes(others))[None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _signed_area(polygon: np.ndarray) -> float:
    """Positive where the polygon is clockwise as it is seen, y downwards."""
    x, y = (np.asarray(polygon, np.float64) - polygon[0]).T  # near the origin, so that no digits are lost
    return float(np.dot(x, _next(y)) - np.dot(y, _next(x))) / 2


def _next(points: np.ndarray) -> np.ndarray:
    """The point after each one, the first after the last: `np.roll` takes ten times as long for so few."""
    return np.concatenate([points[1:], points[:1]])


def _hull(points: np.ndarray) -> np.ndarray:
    """The corners of the convex hull, float64 (H, 2): one for a single point, two for points on a line."""
    hull = shapely.get_coordinates(shapely.convex_hull(shapely.MultiPoint(np.asarray(points, np.float64))))
    return hull[:-1] if len(hull) > 2 else hull


def _from_top_left(corners: np.ndarray) -> np.ndarray:
    """Corners (4, 2), clockwise, from the one whose side runs most to the right (of two alike, downwards)."""
    sides = _next(corners) - corners
    lengths = np.maximum(np.linalg.norm(sides, axis=1, keepdims=True), 1e-12)
    x, y = (sides / lengths).round(6).T
    return np.roll(corners, -int(np.lexsort((y, x))[-1]), axis=0)


def _shape(polygon: np.ndarray) -> shapely.Geometry:
    """A valid shape of shapely; an outline that crosses itself becomes the area that it goes around."""
    shape = shapely.Polygon(np.asarray(polygon, np.float64))
    return shape if shape.is_valid else shapely.make_valid(shape)


def _shapes(polygons: Sequence[np.ndarray]) -> np.ndarray:
    shapes = np.empty(len(polygons), dtype=object)
    shapes[:] = [_shape(polygon) for polygon in polygons]
    return shapes


def _outlines(shape: shapely.Geometry) -> list[np.ndarray]:
    """The outer outlines of a shape's polygons, clockwise, the largest first; lines and points have none."""
    parts = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon" and part.area > 0]
    parts += [p for part in shapely.get_parts(shape) if part.geom_type == "MultiPolygon" for p in part.geoms]
    parts.sort(key=lambda part: -part.area)
    return [orient(np.asarray(part.exterior.coords, np.float32)[:-1]) for part in parts]
