"""Regions cut out of a feature map, for reading; training takes `ops.sample`, which knows its gradient."""

from __future__ import annotations

import numpy as np

from crnn_jt import runtime
from crnn_jt.backend.fast import build, fields

jt = runtime.import_jittor()


def cut_regions(features, places: np.ndarray) -> np.ndarray:
    """A map (C, H, W), of Jittor or numpy, read at places float32 (R, height, W', 2) of (across, down) in its pixels, 0
    the centre of the first -> (R, C, height, W'). Bilinear, zero outside.
    """
    (channels, height, width), (regions, rows, columns, _) = features.shape, places.shape
    message = fields.Regions(channels=channels, height=height, width=width, regions=regions, area=rows * columns)
    inputs = [features if isinstance(features, jt.Var) else jt.array(features), jt.array(places)]
    return build.call("crnn_call_cut_regions", inputs, [(regions, channels, rows, columns)], message)[0].numpy()
