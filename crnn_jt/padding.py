"""Images of several widths in one batch: how wide each is after a layer, and what is put beyond its width."""

from __future__ import annotations

import numpy as np

from crnn_jt.backend import ops
from crnn_jt.layers import Layer

LOWEST = -1e30  # what padded places hold before a maximum or a softmax is taken


def after(layer: Layer, sizes: np.ndarray | None) -> np.ndarray | None:
    """Valid widths (N,) after a layer, None for None."""
    return None if sizes is None else layer.size(0, sizes)[1]


def fill(x, widths: np.ndarray, value: float):
    """Sets the columns of (N, C, H, W) after each image's own width to `value`."""
    inside = (np.arange(x.shape[3]) < np.asarray(widths)[:, None])[:, None, None, :].astype(np.float32)
    x = x * ops.array(inside)
    return x + ops.array(value * (1 - inside)) if value else x
