"""The direction of text: does a line stand upright, or on its head? (Du et al., "PP-OCR", 2020, section 2.2.)"""

from __future__ import annotations

from typing import Any

import numpy as np

from crnn_jt.backend import ops
from crnn_jt.models.base import MODELS
from crnn_jt.models.classifier import Classifier
from crnn_jt.spec import DirectionSpec
from data_tools.loader.turned import TURNS
from data_tools.transforms import ResizeFixed


@MODELS.register("direction")
class Direction(Classifier):
    """Pictures (N, C, H, W) of one line each -> logits (N, 2) of standing upright and on its head."""

    task = "direction"

    def __init__(self, spec: DirectionSpec):
        super().__init__()
        self.spec = spec
        self.add_stages(spec.extractor, len(TURNS), in_channels=spec.image.channels, height=spec.image.height)

    def cost(self) -> int:
        """Multiply-adds of one picture."""
        return self.cost_of(self.spec.image.height, self.spec.image.width)

    def losses(
        self, images, turned: np.ndarray, others: np.ndarray | None = None, share: float = 1.0
    ) -> dict[str, Any]:
        """The mean cross-entropy of the classes `turned` (N,); of mixed pictures `share` times it, the rest that of the
        classes `others` (N,).
        """
        log_probs = ops.log_softmax(self.execute(images), 1)
        entropy = _entropy(log_probs, turned)
        if others is not None:
            entropy = entropy * share + _entropy(log_probs, others) * (1 - share)
        return {"entropy": entropy}


def _entropy(log_probs, classes: np.ndarray):
    return -ops.gather(log_probs, ops.array(np.asarray(classes, np.int64))).mean()


def transform_of(spec: DirectionSpec) -> ResizeFixed:
    """How a picture of a line becomes one of the model's size."""
    return ResizeFixed(spec.image.height, spec.image.width, spec.image.channels)
