"""Regions cut out of a feature map, for reading; training takes `ops.sample`, which knows its gradient."""

from __future__ import annotations

import ctypes

import numpy as np

from crnn_jt.backend.fast import build, fields


def cut_regions(
    features: np.ndarray, channels: int, places: np.ndarray, library: ctypes.CDLL | None = None
) -> np.ndarray:
    """The first channels of a map float32 (H, W, floats a pixel), read at places float32 (R, height, W', 2) of (across,
    down) in its pixels, 0 the centre of the first -> (R, channels, height, W'). Bilinear, zero outside. `library` other
    than the machine's own is for tests of other instruction sets.
    """
    (height, width, stride), (regions, rows, columns, _) = features.shape, places.shape
    message = fields.Regions(
        channels=channels, stride=stride, height=height, width=width, regions=regions, area=rows * columns
    )
    library, out = library or build.native(), np.empty((regions, channels, rows, columns), np.float32)
    if library.crnn_cut_regions(message, features, places, out):
        raise ValueError(library.crnn_error().decode())
    return out
