"""Photographs as arrays float32 (C, H, W) in [-1, 1] at other sizes."""

from __future__ import annotations

import cv2
import numpy as np


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """A photograph of that size; pixels that fall together are averaged."""
    if image.shape[1:] == (height, width):
        return image
    return np.stack([cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA) for plane in image])


def rescale(image: np.ndarray, factor: float) -> np.ndarray:
    """A photograph at a factor, at most 1, of its size."""
    return resize(image, *(max(1, round(side * factor)) for side in image.shape[1:]))


def pad_to(image: np.ndarray, multiple: int) -> np.ndarray:
    """A batch (1, C, H, W) of one photograph whose sides are multiples; what is added below and at the right is 0."""
    rows, columns = (-side % multiple for side in image.shape[1:])
    return np.pad(image, ((0, 0), (0, rows), (0, columns)))[None]
