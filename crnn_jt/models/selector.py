"""The selector of resolutions: how large must a photograph be looked at? (Chen et al., "Dynamic low-resolution
distillation for cost-efficient end-to-end text spotting", ECCV 2022.)"""

from __future__ import annotations

import numpy as np

from crnn_jt import extractors  # noqa: F401  (the stages register themselves)
from crnn_jt.backend import ops
from crnn_jt.layers import GlobalMean, Layer, Linear, cost, walk
from crnn_jt.models.base import MODELS, Model
from crnn_jt.registry import EXTRACTORS
from crnn_jt.spec import SelectorSpec
from crnn_jt.stack import Stack


@MODELS.register("selector")
class Selector(Model):
    """Photographs (N, C, H, W), each at `look` times the size that is meant by a scale of 1, -> logits (N, scales)."""

    task = "selection"

    def __init__(self, spec: SelectorSpec):
        super().__init__()
        self.spec = spec
        self.extractor = EXTRACTORS.build_stage(spec.extractor, in_channels=spec.image.channels)
        self.plan = (GlobalMean(),)
        self.pool = Stack(self.plan)
        self.head = Stack((Linear(self.extractor.out_channels, len(spec.scales)),))

    def named_layers(self) -> dict[str, Layer]:
        """Every layer that holds arrays, by its key: the stage's name first."""
        stage = {f"extractor.{key}": layer for key, layer in self.extractor.named_layers().items()}
        return stage | dict(walk(self.head.plan, "head."))

    def cost(self, height: int, width: int) -> int:
        """Multiply-adds of choosing for a photograph of that size, at a scale of 1."""
        size = (max(1, round(side * self.spec.look)) for side in (height, width))
        plan = (*self.extractor.layers(), *self.plan)
        return cost(plan, self.spec.image.channels, *size) + cost(self.head.plan, None, 1, 1)

    def execute(self, images):
        """Logits (N, scales)."""
        pooled = self.pool(self.extractor(images))
        return self.head(pooled.reshape((pooled.shape[0], pooled.shape[1])))

    def choose(self, images: np.ndarray, network=None) -> np.ndarray:
        """The number of the scale of each photograph float32 (N, C, H, W), (N,): the likeliest, without noise; on a
        frozen `network` where there is one, the module in eval mode.
        """
        if network is not None:
            return network.run(images)[:, :, 0, 0].argmax(1)
        return ops.numpy(self.execute(ops.array(images))).argmax(1)

    def freeze(self, arrays: dict[str, np.ndarray]):
        """A network from photographs to logits (N, scales, 1, 1)."""
        from crnn_jt.freeze import freeze_classifier

        return freeze_classifier(self, arrays)


def hard_gumbel(logits, noise: np.ndarray, temperature: float):
    """One choice of each row of logits (N, k) as (N, k) of 0 and 1, with the slope of the softmax of the noisy logits
    (Jang, Gu, Poole, "Categorical reparameterization with Gumbel-softmax", ICLR 2017, straight through).
    """
    shares = ops.softmax((logits + ops.array(noise)) * (1 / temperature), 1)
    chosen = np.eye(shares.shape[1], dtype=np.float32)[ops.numpy(shares).argmax(1)]
    return ops.array(chosen) + shares - ops.stop_gradient(shares)
