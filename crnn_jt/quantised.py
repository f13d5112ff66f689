"""How a layer whose products have 8 bits is computed while it learns: in float32, on numbers that 8 bits can hold.

Rounding has no slope; gradients pass it as if it were not there (straight through: Bengio et al., "Estimating or
propagating gradients through stochastic neurons", 2013).
"""

from __future__ import annotations

import numpy as np

from crnn_jt import layers
from crnn_jt.backend import assign, nn, ops, replaced
from crnn_jt.layers.quantised import LEAST, STEPS
from crnn_jt.modules import module_of
from crnn_jt.stack import Stack, call

DECAY = 0.9
"""Of the moving average of the greatest magnitude that comes in (Du et al., "PP-OCR", 2020, section 2.3)."""


def straight_through(value, x):
    """`value` with the gradient of x: exactly the value where it is the rounded x, since their difference is exact."""
    return x + ops.stop_gradient(value - x)


def round_to_steps(x, largest):
    """x rounded to 127ths of `largest` and no further out than that; shapes broadcast, no gradient."""
    scale = ops.clip(largest, LEAST, 1e30) * np.float32(1 / STEPS)
    return ops.clip(ops.round(x / scale), -STEPS, STEPS) * scale


def round_channels(weight, axis: int):
    """A weight rounded as `rounding.round_weights` does it, straight through."""
    fixed = ops.stop_gradient(weight)
    spread = [size if other == axis else 1 for other, size in enumerate(weight.shape)]
    largest = fixed.abs()
    for other in reversed([other for other in range(len(spread)) if other != axis]):
        largest = ops.amax(largest, other)
    largest = largest.reshape(spread)
    return straight_through(round_to_steps(fixed, largest), weight)


class QuantisedUnit(nn.Module):
    """The module of `layers.Quantised`. While training its range follows what comes in; reading it is as it stands.

    Where `observed` is a list the layer runs as it was before it was rounded, and the greatest magnitudes that come in
    are added to the list.
    """

    def __init__(self, layer: layers.Quantised):
        super().__init__()
        self.layer = layer
        self.body = Stack(layer.body)
        self.observed: list[float] | None = None
        nn.set_parameter(self, "clip", layer.fresh("clip", np.random.default_rng()))
        nn.set_buffer(self, "range", layer.fresh("range", np.random.default_rng()))

    def execute(self, x, sizes: np.ndarray | None = None, kept: dict | None = None):
        """The output alone."""
        return self.with_sizes(x, sizes, kept)[0]

    def with_sizes(self, x, sizes: np.ndarray | None = None, kept: dict | None = None) -> tuple:
        """The output and its valid sizes."""
        if self.observed is not None:
            self.observed.append(float(ops.numpy(x.abs().max()).reshape(-1)[0]))
            return self.body.with_sizes(x, sizes, kept)
        inner = getattr(self.body, "0")
        weights = {}
        if not self.layer.stored:
            axes = self.layer.body[0].products
            weights = {name: round_channels(getattr(inner, name), axis) for name, axis in axes.items()}
        with replaced(inner, weights):
            return self.body.with_sizes(self._round(x), sizes, kept)

    def _round(self, x):
        """What comes in, clipped and rounded."""
        clipped = ops.clip(x, -self.clip, self.clip)  # outside of it the slope is that of the bound
        fixed = ops.stop_gradient(clipped)
        return straight_through(round_to_steps(fixed, self._follow(fixed)), clipped)

    def _follow(self, x):
        """The range (1,), moved towards the greatest magnitude of x while training."""
        if not self.is_training():
            return self.range
        largest = ops.amax(x.abs().reshape((-1,)), 0).reshape((1,))
        share = ops.array(np.float32([1 - DECAY]))
        share = ops.where(self.range > 0, share, ops.array(np.float32([1])))  # the first one sets it
        moved = self.range + (largest - self.range) * share
        assign(self.range, moved)
        return moved


module_of.register(layers.Quantised, QuantisedUnit)


@call.register(layers.Quantised)
def _(layer: layers.Quantised, module, x, sizes, kept) -> tuple:
    return module.with_sizes(x, sizes, kept)
