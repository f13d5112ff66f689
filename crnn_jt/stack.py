"""Turns a plan (`layers.py`) into the module that trains, on either backend."""

from __future__ import annotations

import numpy as np

from crnn_jt import layers
from crnn_jt.backend import kernels, nn, ops, ranks
from crnn_jt.layers import Plan

LOWEST = -1e30  # what padded places hold before a maximum is taken


class Stack(nn.Module):
    """The layers of a plan in order.

    Image plans map (N, C, H, W) -> (N, C', H', W'), sequence plans (T, N, C) -> (T, N, C'). `sizes` (N,) are the valid
    widths or step counts where they differ within the batch: what lies behind them is kept at zero, so that a sample's
    features do not depend on its batch mates.
    """

    def __init__(self, plan: Plan):
        super().__init__()
        self.plan, self.units = plan, layers.conv_units(plan)
        for position, layer in enumerate(plan):
            module = _module(layer)
            if module is not None:
                setattr(self, str(position), module)

    def execute(self, x, sizes: np.ndarray | None = None):
        if self.units and kernels() and ranks.count == 1 and self.is_training():
            return self._by_units(x, sizes)
        for position, layer in enumerate(self.plan):
            x, sizes = self._through(layer, getattr(self, str(position), None), x, sizes)
        return x

    def _by_units(self, x, sizes: np.ndarray | None):
        """The same in the kernels' own layout from the first layer to the last, for plans of convolution units."""
        from crnn_jt.backend.fast.pixels import to_pixels, to_planes

        wide = [self.plan[unit.conv].kernel[1] > 1 for unit in self.units]
        x = to_pixels(_fill(x, sizes, 0.0) if wide[0] and sizes is not None else x)
        for unit, clear in zip(self.units, [*wide[1:], False]):
            x, sizes = self._through_unit(unit, clear, x, sizes)
        return to_planes(x, self.plan[self.units[-1].conv].out_channels)

    def _through_unit(self, unit: layers.Unit, clear: bool, x, sizes: np.ndarray | None):
        from crnn_jt.backend.fast.conv import convolve
        from crnn_jt.backend.fast.pixels import finish

        conv, norm = getattr(self, str(unit.conv)), getattr(self, str(unit.norm), None)
        pool = self.plan[unit.pool] if unit.pool >= 0 else layers.NO_POOL
        inside = _behind((self.plan[unit.conv],), sizes)
        sizes = _behind((pool,), inside)
        x = convolve(x, conv.weight, conv.bias, conv.stride, conv.padding)
        beside = bool(pool.padding[1])  # windows reach behind an image's width
        x, mean, var = finish(
            x, conv.out_channels, norm, pool, inside if beside else None, sizes if beside or clear else None
        )
        if norm is not None:
            norm.remember(mean, var)
        return x, sizes

    def _through(self, layer, module, x, sizes):
        if isinstance(layer, layers.BiLSTM):
            return module(x, sizes), sizes
        if isinstance(layer, layers.Context):
            return _beside_largest(x, sizes), sizes
        if isinstance(layer, layers.Residual):
            return module(x, sizes), _behind((layer,), sizes)
        if isinstance(layer, layers.Activation):
            return getattr(ops, layer.kind)(x), sizes
        if isinstance(layer, layers.MaxPool):
            return self._pooled(layer, x, sizes), _behind((layer,), sizes)
        if isinstance(layer, layers.Conv) and layer.kernel[1] > 1 and sizes is not None:
            x = _fill(x, sizes, 0.0)
        return module(x), _behind((layer,), sizes)

    @staticmethod
    def _pooled(layer, x, sizes):
        if not layer.padding[1] or sizes is None:
            return ops.max_pool(x, layer.kernel, layer.stride, layer.padding)
        x = ops.max_pool(_fill(x, sizes, LOWEST), layer.kernel, layer.stride, layer.padding)
        return _fill(x, _behind((layer,), sizes), 0.0)  # LOWEST would spoil the statistics of a norm that follows


class ResidualUnit(nn.Module):
    """`body(x) + shortcut(x)` (He et al., "Identity mappings in deep residual networks", 2016)."""

    def __init__(self, layer: layers.Residual):
        super().__init__()
        self.body = Stack(layer.body)
        self.shortcut = Stack(layer.shortcut)

    def execute(self, x, sizes: np.ndarray | None = None):
        return self.body(x, sizes) + self.shortcut(x, sizes)


def _module(layer: layers.Layer):
    if isinstance(layer, layers.Conv):
        return nn.Conv2d(
            layer.in_channels, layer.out_channels, layer.kernel, layer.stride, layer.padding, bias=layer.bias
        )
    if isinstance(layer, layers.Norm):
        return nn.BatchNorm2d(layer.channels, eps=layer.eps)
    if isinstance(layer, layers.Linear):
        return nn.Linear(layer.in_features, layer.out_features)
    if isinstance(layer, layers.BiLSTM):
        return nn.BiLSTM(layer.in_features, layer.hidden)
    if isinstance(layer, layers.Residual):
        return ResidualUnit(layer)
    if isinstance(layer, layers.Dropout):
        return nn.Dropout(layer.rate)
    return None


def _behind(plan: Plan, sizes: np.ndarray | None) -> np.ndarray | None:
    return None if sizes is None else layers.out_shape(plan, 0, sizes)[1]


def _beside_largest(x, lengths: np.ndarray | None):
    """(T, N, C) -> (T, N, 2C): each step's features, and the largest of each over the steps of its sequence."""
    steps = x
    if lengths is not None:
        behind = np.arange(x.shape[0])[:, None] >= np.asarray(lengths)
        steps = x + ops.array(LOWEST * behind[:, :, None].astype(np.float32))
    largest = ops.amax(steps, 0).unsqueeze(0).expand(*x.shape)
    return ops.concat([x, largest], 2)


def _fill(x, widths: np.ndarray, value: float):
    """Sets the columns of (N, C, H, W) behind each image's own width to `value`."""
    inside = (np.arange(x.shape[3]) < np.asarray(widths)[:, None])[:, None, None, :].astype(np.float32)
    x = x * ops.array(inside)
    return x + ops.array(value * (1 - inside)) if value else x
