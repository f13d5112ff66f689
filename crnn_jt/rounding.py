"""Weights in 8 bits: integers and one scale for each output channel, in numpy.

A scale is a 127th of the channel's greatest magnitude, so that -127 to 127 are used and zero is zero (absolute maximum,
channel by channel: Du et al., "PP-OCR", 2020, section 2.3).
"""

from __future__ import annotations

import numpy as np

from crnn_jt.layers.quantised import STEPS

SCALE = ".scale"
"""What the key of the scales is that of the integers and this."""


def round_weights(weights: np.ndarray, axis: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Weights whose output channels are `axis` -> integers int8 of the same shape, and scales float32 that spread over
    them (1 but along the axis; None: one scale for all). Weights that came from integers come back as exactly these.
    """
    weights = np.asarray(weights, np.float32)
    others = tuple(other for other in range(weights.ndim) if other != axis)
    largest = np.abs(weights).max(others, keepdims=True)
    scale = np.where(largest > 0, largest * np.float32(1 / STEPS), np.float32(1)).astype(np.float32)
    integers = np.rint(weights / scale).astype(np.int8)
    # A 127th of 127 times a scale can be its neighbour: whatever gave these weights is the one to keep.
    for direction in (-np.inf, np.inf):
        near = np.nextafter(scale, np.float32(direction), dtype=np.float32)
        fits = (restore_weights(integers, near) == weights).all(others, keepdims=True)
        own = (restore_weights(integers, scale) == weights).all(others, keepdims=True)
        scale = np.where(fits & ~own, near, scale)
    return integers, scale


def restore_weights(integers: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Weights float32 of integers and their scales."""
    return integers.astype(np.float32) * scale


def axis_of(scale: np.ndarray) -> int | None:
    """The axis of the output channels by the scales' shape; None where there is one scale."""
    return next((axis for axis, size in enumerate(scale.shape) if size > 1), None)
