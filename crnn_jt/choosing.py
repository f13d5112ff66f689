"""Choosing at which resolution a photograph is looked at, with a trained selector."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from crnn_jt.detecting import Resolution
from crnn_jt.spec import SelectorSpec
from crnn_jt.weights import Weights, load_weights
from data_tools.images import to_channels
from data_tools.transforms import normalise


class ResolutionChooser:
    """A selector ready to choose; `fast` False keeps to the framework's own operators. Raises UserError where the
    weights are of another kind of model.
    """

    def __init__(self, weights: Weights, name: str, fast: bool = True):
        from crnn_jt.freeze import try_freeze
        from crnn_jt.models import restore

        self.name = name
        self.model = restore(weights, name, "selector")
        self.network = try_freeze(self.model, weights.arrays) if fast else None

    @property
    def spec(self) -> SelectorSpec:
        """The model's spec."""
        return self.model.spec

    def choose(self, image: Image.Image, resolution: Resolution) -> Resolution:
        """The resolution for a photograph that would else be looked at at `resolution`: that times one of the
        selector's scales.
        """
        from crnn_jt import backend

        full = resolution.of(*image.size)
        image = to_channels(image, self.spec.image.channels)
        size = tuple(max(1, round(side * full * self.spec.look)) for side in image.size)
        pixels = np.asarray(image.resize(size, Image.Resampling.BOX))
        pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
        with backend.no_grad():
            number = self.model.choose(normalise(np.ascontiguousarray(pixels))[None], self.network)[0]
        return Resolution(full * self.spec.scales[int(number)])


def load(name: str | Path, fast: bool = True) -> ResolutionChooser:
    """A selector by bundled name or weights file. Raises UserError."""
    return ResolutionChooser(load_weights(name), str(name), fast)
