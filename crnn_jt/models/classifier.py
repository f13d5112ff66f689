"""What classifiers of whole pictures share: an extractor, the mean of its map, a product."""

from __future__ import annotations

import numpy as np

from crnn_jt import extractors  # noqa: F401  (the stages register themselves)
from crnn_jt.backend import ops
from crnn_jt.layers import GlobalMean, Layer, Linear, cost, walk
from crnn_jt.models.base import Model
from crnn_jt.registry import EXTRACTORS
from crnn_jt.spec import StageSpec
from crnn_jt.stack import Stack


class Classifier(Model):
    """Pictures (N, C, H, W) -> logits (N, `classes`). The extractor is built for `in_channels` and what else is
    `given`.
    """

    def add_stages(self, extractor: StageSpec, classes: int, **given: int) -> None:
        """Makes the stages. Raises UserError where there is no such extractor."""
        self.extractor = EXTRACTORS.build_stage(extractor, **given)
        self.plan = (GlobalMean(),)
        self.pool = Stack(self.plan)
        self.head = Stack((Linear(self.extractor.out_channels, classes),))

    def named_layers(self) -> dict[str, Layer]:
        """Every layer that holds arrays, by its key: the stage's name first."""
        stage = {f"extractor.{key}": layer for key, layer in self.extractor.named_layers().items()}
        return stage | dict(walk(self.head.plan, "head."))

    def cost_of(self, height: int, width: int) -> int:
        """Multiply-adds of one picture of that size."""
        plan = (*self.extractor.layers(), *self.plan)
        return cost(plan, self.spec.image.channels, height, width) + cost(self.head.plan, None, 1, 1)

    def execute(self, images):
        """Logits (N, classes)."""
        pooled = self.pool(self.extractor(images))
        return self.head(pooled.reshape((pooled.shape[0], pooled.shape[1])))

    def probabilities(self, images: np.ndarray, network=None) -> np.ndarray:
        """Images float32 (N, C, H, W) in [-1, 1] -> (N, classes), on a frozen `network` where there is one; the module
        in eval mode.
        """
        if network is None:
            return ops.numpy(ops.softmax(self.execute(ops.array(images)), 1))
        logits = network.run(images)[:, :, 0, 0]
        chances = np.exp(logits - logits.max(1, keepdims=True))
        return chances / chances.sum(1, keepdims=True)

    def freeze(self, arrays: dict[str, np.ndarray]):
        """A network from pictures to logits (N, classes, 1, 1)."""
        from crnn_jt.freeze import Images, begin_network

        images = Images(begin_network(self.spec.image.channels), arrays)
        value = images.emit_plan(self.extractor.layers(), 0, "extractor.stack.")
        value = images.emit_plan(self.plan, value, "pool.stack.")
        images.emit_plan(self.head.plan, value, "head.")
        images.network.end_maps("maps")
        return images.network
