"""Regions cut out of a photograph: perspective and bend undone, and upright.

Pictures are uint8 (H, W, 3), quads float32 (4, 2), from the top left as read, clockwise.
"""

from __future__ import annotations

import cv2
import numpy as np

from data_tools.polygons import is_simple, orient
from data_tools.readers.quads import to_quad

TALL = 1.5
"""A region higher than its width times this is taken for a line that runs down or up (PaddleOCR's rule)."""


def cut(picture: np.ndarray, quad: np.ndarray) -> np.ndarray:
    """What a quad holds, as a rectangle (h, w, 3) as long as its longer sides."""
    width, height = measure(quad)
    target = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
    matrix = cv2.getPerspectiveTransform(np.float32(quad), target)
    return cv2.warpPerspective(picture, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def cut_outline(picture: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """What an outline (P, 2) from the top left as read holds, as a rectangle (h, w, 3).

    One of as many points above as below the text, as curved text is annotated, is cut into strips between them, each
    made level; of any other shape the smallest rectangle around it is cut out.
    """
    strips = _cut_strips(polygon)
    if len(strips) < 2:
        return cut(picture, to_quad(polygon))
    height = max(1, round(float(np.mean([measure(strip)[1] for strip in strips]))))
    pieces = [cut(picture, strip) for strip in strips]
    level = [cv2.resize(piece, (piece.shape[1], height), interpolation=cv2.INTER_LINEAR) for piece in pieces]
    return np.concatenate(level, axis=1)


def _cut_strips(polygon: np.ndarray) -> list[np.ndarray]:
    """The quads between each two points above and below; none where the outline is no such band."""
    above, below = np.array_split(polygon, 2)
    if len(above) != len(below) or len(above) < 3:
        return []
    below = below[::-1]
    ends = range(len(above) - 1)
    strips = [np.stack([above[n], above[n + 1], below[n + 1], below[n]]) for n in ends]
    is_band = all(is_simple(strip) and orient(strip) is strip for strip in strips)
    return strips if is_band else []


def measure(quad: np.ndarray) -> tuple[int, int]:
    """Width and height of a quad in whole pixels, 1 at least."""
    top, right, bottom, left = np.linalg.norm(quad[[1, 2, 3, 0]] - quad, axis=1).tolist()
    return max(1, round(max(top, bottom))), max(1, round(max(right, left)))


def is_tall(quad: np.ndarray) -> bool:
    """Whether the text in a quad runs down or up."""
    width, height = measure(quad)
    return height > TALL * width


def lay_down(quad: np.ndarray) -> np.ndarray:
    """The quad of text that runs up, from its top left as read: what was the lower left corner comes first."""
    return np.concatenate([quad[-1:], quad[:-1]])


def turn_round(quad: np.ndarray) -> np.ndarray:
    """The quad of text that stands on its head."""
    return quad[[2, 3, 0, 1]]


def take_part(quad: np.ndarray, begin: float, end: float) -> np.ndarray:
    """The part of a quad (4, 2) that lies between two shares, 0-1, of its cut-out rectangle's width."""
    square = np.float32([[0, 0], [1, 0], [1, 1], [0, 1]])
    matrix = cv2.getPerspectiveTransform(square, np.float32(quad))
    corners = np.float32([[begin, 0], [end, 0], [end, 1], [begin, 1]])
    return cv2.perspectiveTransform(corners[None], matrix)[0]
