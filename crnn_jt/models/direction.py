"""The direction of text: does a line stand upright, or on its head? (Du et al., "PP-OCR", 2020, section 2.2.)"""

from __future__ import annotations

from typing import Any

import numpy as np

from crnn_jt import extractors  # noqa: F401  (the stages register themselves)
from crnn_jt.backend import ops
from crnn_jt.layers import GlobalMean, Layer, Linear, cost, walk
from crnn_jt.models.base import MODELS, Model
from crnn_jt.registry import EXTRACTORS
from crnn_jt.spec import DirectionSpec
from crnn_jt.stack import Stack
from data_tools.loader.turned import TURNS
from data_tools.transforms import ResizeFixed


@MODELS.register("direction")
class Direction(Model):
    """Pictures (N, C, H, W) of one line each -> logits (N, 2) of standing upright and on its head."""

    task = "direction"

    def __init__(self, spec: DirectionSpec):
        super().__init__()
        self.spec = spec
        given = {"in_channels": spec.image.channels, "height": spec.image.height}
        self.extractor = EXTRACTORS.build_stage(spec.extractor, **given)
        self.plan = (GlobalMean(),)
        self.pool = Stack(self.plan)
        self.head = Stack((Linear(self.extractor.out_channels, len(TURNS)),))

    def named_layers(self) -> dict[str, Layer]:
        """Every layer that holds arrays, by its key: the stage's name first."""
        stage = {f"extractor.{key}": layer for key, layer in self.extractor.named_layers().items()}
        return stage | dict(walk(self.head.plan, "head."))

    def cost(self) -> int:
        """Multiply-adds of one picture."""
        image = self.spec.image
        plan = (*self.extractor.layers(), *self.plan)
        return cost(plan, image.channels, image.height, image.width) + cost(self.head.plan, None, 1, 1)

    def execute(self, images):
        """Logits (N, 2)."""
        pooled = self.pool(self.extractor(images))
        return self.head(pooled.reshape((pooled.shape[0], pooled.shape[1])))

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

    def probabilities(self, images: np.ndarray, network=None) -> np.ndarray:
        """Images float32 (N, C, H, W) in [-1, 1] -> (N, 2), on a frozen `network` where there is one; the module in
        eval mode.
        """
        if network is None:
            return ops.numpy(ops.softmax(self.execute(ops.array(images)), 1))
        logits = network.run(images)[:, :, 0, 0]
        chances = np.exp(logits - logits.max(1, keepdims=True))
        return chances / chances.sum(1, keepdims=True)

    def freeze(self, arrays: dict[str, np.ndarray]):
        """A network from pictures to logits (N, 2, 1, 1)."""
        from crnn_jt.freeze import freeze_classifier

        return freeze_classifier(self, arrays)


def _entropy(log_probs, classes: np.ndarray):
    return -ops.gather(log_probs, ops.array(np.asarray(classes, np.int64))).mean()


def transform_of(spec: DirectionSpec) -> ResizeFixed:
    """How a picture of a line becomes one of the model's size."""
    return ResizeFixed(spec.image.height, spec.image.width, spec.image.channels)
