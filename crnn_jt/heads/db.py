"""Differentiable binarisation (Liao et al., "Real-time scene text detection with differentiable binarization", AAAI
2020): a map of probabilities of being well inside text, and while training a map of thresholds around it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from crnn_jt import layers
from crnn_jt.backend import nn, ops
from crnn_jt.blocks import conv_unit
from crnn_jt.decoding.regions import USUAL, Found, enlarge, find_regions
from crnn_jt.layers import Activation, BatchNorm, ConvTranspose, Layer, Plan, Shape
from crnn_jt.registry import HEADS
from crnn_jt.stack import Stack
from data_tools.photos.targets import ShrunkMaps

SHARPNESS = 50.0
"""k of the paper's equation 2."""
NEGATIVES = 3
"""Pixels without text that are learnt from for each one with text: those that look most like it."""
LEAST_NEGATIVES = 1 / 32
"""Share of a picture's pixels that are learnt from at least, so that pictures without text teach something too."""


def build_branch(in_channels: int, inner: int, doublings: int) -> Plan:
    """A 3x3 convolution to `inner` channels, then each doubling a transposed convolution, the last to one channel."""
    plan = [*conv_unit(in_channels, inner)]
    for _ in range(doublings - 1):
        plan += [ConvTranspose(inner, inner), BatchNorm(inner), Activation("relu")]
    return (*plan, ConvTranspose(inner, 1))


def _check_branch(plan: Plan, in_channels: int, factor: int) -> None:
    """Raises ValueError unless a branch makes one channel, `factor` times as large."""
    made = layers.follow(plan, Shape(in_channels, 8, 8))
    if made != (1, 8 * factor, 8 * factor):
        raise ValueError(f"plan: it takes one that makes 1 channel, {factor} times as large; this one makes {made}")


@HEADS.register("db")
class BinarisationHead(nn.Module):
    """(N, C, H, W), a `stride`-th of the photograph, -> logits (N, 1, H·2^doublings, W·2^doublings); `inner` channels
    (0: a quarter of those that come). `plan` are the layers of each branch as plain values where they are others:
    pruned ones, or rounded to 8 bits.

    Losses: `shrink`, cross-entropy with hard negatives 3:1 chosen picture by picture; `binary`, dice of the binarised
    map; `border`, mean absolute difference of the threshold map within its band.
    """

    tiny: ClassVar[dict[str, Any]] = {"doublings": 1}
    weights: ClassVar[dict[str, float]] = {"border": 10.0}
    """Of the losses in their sum (equation 7)."""

    by_map: ClassVar[bool] = True
    """Whether what is found can be read off a map, of which tiles may be joined."""

    def __init__(self, in_channels: int, stride: int = 4, inner: int = 0, doublings: int = 2, plan: list = []):  # noqa: B006 - values
        if doublings < 1:
            raise ValueError(f"doublings {doublings}: it takes 1 or more")
        super().__init__()
        self.factor = 2**doublings
        self.stride = max(1, stride // self.factor)
        self.plan = layers.from_values(plan) or build_branch(in_channels, inner or max(1, in_channels // 4), doublings)
        _check_branch(self.plan, in_channels, self.factor)
        self.shrink, self.border = Stack(self.plan), Stack(self.plan)

    def named_layers(self) -> dict[str, Layer]:
        """Every layer that may hold arrays, by its key within the stage."""
        return dict(layers.walk(self.plan, "shrink.")) | dict(layers.walk(self.plan, "border."))

    def layers(self) -> Plan:
        """The branch that reading takes, `shrink`, for `freeze`."""
        return self.plan

    def execute(self, features):
        """Logits of being well inside text."""
        return self.shrink(features)

    def find(self, features, sizes: np.ndarray) -> list[list[Found]]:
        """The regions of each photograph of `sizes` (N, 2) in its pixels."""
        maps, stride = ops.numpy(ops.sigmoid(self.shrink(features)))[:, 0], self.stride
        rule, found = replace(USUAL, side=USUAL.side / stride), []
        for probability, (rows, columns) in zip(maps, -(-np.asarray(sizes) // stride)):
            regions = find_regions(probability[:rows, :columns], rule)
            found.append([enlarge(region, np.float32(stride)) for region in regions])
        return found

    def targets(self, stride: int) -> ShrunkMaps:
        """What makes the targets of a photograph, at a `stride`-th of its size."""
        return ShrunkMaps(stride)

    def cost(self, shape: Shape) -> int:
        """Multiply-adds of reading; the border's branch is not needed for it."""
        return layers.cost(self.plan, *shape)

    def losses(self, features, targets: dict[str, np.ndarray]) -> dict[str, Any]:
        """Means over the pictures by name; `targets` (N, H', W') float32 are those of `ShrunkMaps`."""
        batch, height, width = targets["shrunk"].shape
        logits = self.shrink(features).reshape((batch, height, width))
        thresholds = ops.sigmoid(self.border(features).reshape((batch, height, width)))
        shrunk, valid = targets["shrunk"], targets["valid"]
        entropy = cross_entropy(logits, shrunk)
        chosen = choose_pixels(ops.numpy(ops.stop_gradient(entropy)), shrunk, valid)
        binary = ops.sigmoid((ops.sigmoid(logits) - thresholds) * SHARPNESS)
        off = (thresholds - ops.array(targets["border"] / 255)).abs()
        return {
            "shrink": (entropy * ops.array(chosen)).sum(),
            "binary": _dice(binary, shrunk, valid),
            "border": (off * ops.array(_per_picture(targets["banded"]))).sum(),
        }


def cross_entropy(logits, wanted: np.ndarray):
    """The cross-entropy of each logit with what is wanted of it, 0 to 1 (of the same shape)."""
    return ops.relu(logits) - logits * ops.array(wanted.astype(np.float32)) + ops.log(1 + ops.exp(-logits.abs()))


def choose_pixels(entropy: np.ndarray, shrunk: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Weights (N, H, W) that sum to 1, an equal share for each picture: all valid pixels with text, and of those
    without it the ones of the largest `entropy`, NEGATIVES for each with text.
    """
    weights = np.zeros_like(entropy)
    for loss, text, counts, weight in zip(entropy, shrunk > 0, valid > 0, weights):
        weight[text & counts] = 1
        negatives = np.flatnonzero(~text & counts)
        wanted = max(NEGATIVES * int((text & counts).sum()), int(LEAST_NEGATIVES * loss.size))
        if len(negatives) > wanted:
            hardest = np.argpartition(loss.ravel()[negatives], len(negatives) - wanted)
            negatives = negatives[hardest[len(negatives) - wanted :]]
        weight.reshape(-1)[negatives] = 1
    return _per_picture(weights)


def _per_picture(mask: np.ndarray) -> np.ndarray:
    """A mask (N, H, W) as weights with which a sum is the mean over pictures of the mean inside the mask."""
    inside = mask.sum((1, 2), keepdims=True)
    return (mask / np.maximum(inside, 1) / len(mask)).astype(np.float32)


def _dice(binary, shrunk: np.ndarray, valid: np.ndarray):
    """1 - dice of each picture with text, 0 for one without; the mean over pictures."""
    both = ops.mean(binary * ops.array(shrunk * valid), (1, 2))
    found, wanted = ops.mean(binary * ops.array(valid), (1, 2)), (shrunk * valid).mean((1, 2))
    written = (wanted > 0).astype(np.float32)
    dice = both * 2 / (found + ops.array(wanted + 1e-6))
    return ((1 - dice) * ops.array(written)).mean()
