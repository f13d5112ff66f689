"""The selector of resolutions: how large must a photograph be looked at? (Chen et al., "Dynamic low-resolution
distillation for cost-efficient end-to-end text spotting", ECCV 2022.)"""

from __future__ import annotations

import numpy as np

from crnn_jt.backend import ops
from crnn_jt.models.base import MODELS
from crnn_jt.models.classifier import Classifier
from crnn_jt.spec import SelectorSpec


@MODELS.register("selector")
class Selector(Classifier):
    """Photographs (N, C, H, W), each at `look` times the size that is meant by a scale of 1, -> logits (N, scales)."""

    task = "selection"

    def __init__(self, spec: SelectorSpec):
        super().__init__()
        self.spec = spec
        self.add_stages(spec.extractor, len(spec.scales), in_channels=spec.image.channels)

    def cost(self, height: int, width: int) -> int:
        """Multiply-adds of choosing for a photograph of that size, at a scale of 1."""
        return self.cost_of(*(max(1, round(side * self.spec.look)) for side in (height, width)))

    def choose(self, images: np.ndarray, network=None) -> np.ndarray:
        """The number of the scale of each photograph float32 (N, C, H, W), (N,): the likeliest, without noise, as
        `probabilities` has it.
        """
        return self.probabilities(images, network).argmax(1)


def hard_gumbel(logits, noise: np.ndarray, temperature: float):
    """One choice of each row of logits (N, k) as (N, k) of 0 and 1, with the slope of the softmax of the noisy logits
    (Jang, Gu, Poole, "Categorical reparameterization with Gumbel-softmax", ICLR 2017, straight through).
    """
    shares = ops.softmax((logits + ops.array(noise)) * (1 / temperature), 1)
    chosen = np.eye(shares.shape[1], dtype=np.float32)[ops.numpy(shares).argmax(1)]
    return ops.array(chosen) + shares - ops.stop_gradient(shares)
