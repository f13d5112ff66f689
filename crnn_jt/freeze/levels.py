"""How a value is rounded on its way to a layer whose products have 8 bits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from crnn_jt.backend.fast.int8_layers import Levels
from crnn_jt.layers.quantised import LEAST, STEPS


def levels_of(state: Mapping[str, np.ndarray], key: str) -> Levels:
    """How what comes into the rounded layer `key` is rounded; in float32, as while it learns."""
    reach, clip = (np.float32(state[f"{key}.{name}"]).reshape(()) for name in ("range", "clip"))
    step = np.maximum(reach, np.float32(LEAST)) * np.float32(1 / STEPS)
    return Levels(float(step), float(min(np.rint(clip / step), STEPS)))
