"""Finding text that stands on its head, with a trained classifier."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from crnn_jt.pictures import Picture, open_picture
from crnn_jt.spec import DirectionSpec
from crnn_jt.weights import Weights, load_weights
from data_tools.transforms import normalise

BATCH = 32


class DirectionReader:
    """A classifier ready to judge; `fast` False keeps to the framework's own operators. Raises UserError where the
    weights are of another kind of model.
    """

    def __init__(self, weights: Weights, name: str, fast: bool = True):
        from crnn_jt.freeze import try_freeze
        from crnn_jt.models import restore
        from crnn_jt.models.direction import transform_of

        self.name = name
        self.model = restore(weights, name, "direction")
        self.network = try_freeze(self.model, weights.arrays) if fast else None
        self.transform = transform_of(weights.spec)

    @property
    def spec(self) -> DirectionSpec:
        """The model's spec."""
        return self.model.spec

    def overturned(self, images: Sequence[Picture]) -> np.ndarray:
        """The probability that each picture of a line stands on its head, (N,)."""
        pixels = [self.transform.pixels(open_picture(image)) for image in images]
        found = [np.zeros(0, np.float32)]
        for start in range(0, len(pixels), BATCH):
            found.append(self._look(normalise(np.stack(pixels[start : start + BATCH])))[:, 1])
        return np.concatenate(found)

    def _look(self, images: np.ndarray) -> np.ndarray:
        """Probabilities (N, 2) of images float32 (N, C, H, W)."""
        from crnn_jt import backend

        with backend.no_grad():
            return self.model.probabilities(images, self.network)


def load(name: str | Path, fast: bool = True) -> DirectionReader:
    """A classifier by bundled name or weights file. Raises UserError."""
    return DirectionReader(load_weights(name), str(name), fast)
