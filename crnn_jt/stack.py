"""Turns a plan (`layers`) into the module that trains, on either backend.

One invariant keeps a sample's features independent of its batch mates: *columns after an image's own width are zero on
entry to every convolution wider than 1*, as the padding of the image alone would be. Other layers either look at one
column at a time, or leave those columns out themselves (padded pooling, means, attention, recurrences). What the last
layer leaves there is undefined; nothing may read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch

import numpy as np

from crnn_jt import layers
from crnn_jt.backend import nn, ops, run_stack
from crnn_jt.layers import Layer, Plan, recall
from crnn_jt.modules import module_of
from crnn_jt.padding import LOWEST, after, fill
from data_tools.errors import UserError


class Stack(nn.Module):
    """The layers of a plan in order. Raises UserError for a layer that cannot run in a chain.

    Image plans map (N, C, H, W) -> (N, C', H', W'), sequence plans (T, N, C) -> (T', N, C'). `sizes` (N,) are the valid
    widths or step counts where they differ within the batch. `kept` holds values (array, sizes) by name that layers of
    the plan ask for; what the plan keeps is added to a copy.
    """

    def __init__(self, plan: Plan):
        super().__init__()
        self.plan = plan
        self.calls = tuple(_call_of(layer) for layer in plan)
        for position, layer in enumerate(plan):
            module = module_of(layer)
            if module is not None:
                setattr(self, str(position), module)

    def execute(self, x, sizes: np.ndarray | None = None, kept: dict | None = None):
        """The output alone."""
        return self.with_sizes(x, sizes, kept)[0]

    def with_sizes(self, x, sizes: np.ndarray | None = None, kept: dict | None = None) -> tuple:
        """The output and its valid sizes."""
        return self._run(x, sizes, kept)[0]

    def maps(self, x, sizes: np.ndarray | None, taps: Sequence[int], kept: dict | None = None) -> list[tuple]:
        """The values, with their valid sizes, after the layers at these positions."""
        tapped = self._run(x, sizes, kept, taps)[1]
        return [tapped[tap] for tap in taps]

    def _run(self, x, sizes: np.ndarray | None, kept: dict | None, taps: Sequence[int] = ()) -> tuple[tuple, dict]:
        """The output with its sizes, and such pairs after `taps`: by the backend's path for whole plans, where it has
        one for this, else layer by layer.
        """
        return run_stack(self, x, sizes, taps) or self._chain(x, sizes, kept, taps)

    def _chain(self, x, sizes: np.ndarray | None, kept: dict | None, taps: Sequence[int] = ()) -> tuple:
        kept, tapped = dict(kept or {}), {}
        for position, (layer, call) in enumerate(zip(self.plan, self.calls)):
            x, sizes = call(layer, getattr(self, str(position), None), x, sizes, kept)
            if position in taps:
                tapped[position] = (x, sizes)
        return (x, sizes), tapped


class PlanStage(nn.Module):
    """A stage that is one plan: keys `stack.…`."""

    def __init__(self, plan: Plan):
        super().__init__()
        self.plan = plan
        self.stack = Stack(plan)

    def layers(self) -> Plan:
        """The layers in the order of computation, for `freeze` and `export`."""
        return self.plan

    def named_layers(self) -> dict[str, Layer]:
        """Every layer that may hold arrays, by its key within the stage."""
        return dict(layers.walk(self.plan, "stack."))


class BlockUnit(nn.Module):
    """The layers of a block."""

    def __init__(self, layer: layers.Block):
        super().__init__()
        self.body = Stack(layer.body)


class ResidualUnit(nn.Module):
    """`body(x) + shortcut(x)` (He et al., "Identity mappings in deep residual networks", 2016)."""

    def __init__(self, layer: layers.Residual):
        super().__init__()
        self.body = Stack(layer.body)
        self.shortcut = Stack(layer.shortcut)


class GateUnit(nn.Module):
    """`x · body(x)`."""

    def __init__(self, layer: layers.Gate):
        super().__init__()
        self.body = Stack(layer.body)


class ChoiceUnit(nn.Module):
    """One candidate; the others are not computed.

    `drawn` says which: None, the one of the largest alpha; (n,), number n; (n, m), number n as the value and the slope
    of a binary gate between both for their alphas (ProxylessNAS: Cai et al., ICLR 2019, section 3.2.1).
    """

    def __init__(self, layer: layers.Choice):
        super().__init__()
        for number, plan in enumerate(layer.candidates):
            setattr(self, str(number), Stack(plan))
        nn.set_parameter(self, "alphas", np.zeros(len(layer.candidates)))
        self.drawn: tuple[int, ...] | None = None

    def execute(self, x, sizes: np.ndarray | None, kept: dict) -> tuple:
        """The candidate's value and its sizes."""
        values = [getattr(self, str(number)).with_sizes(x, sizes, kept) for number in self.chosen()]
        return (values[0][0] if len(values) == 1 else self.blend([value for value, _ in values])), values[0][1]

    def chosen(self) -> tuple[int, ...]:
        """The numbers of the candidates that are computed."""
        return self.drawn or (int(ops.numpy(self.alphas).argmax()),)

    def blend(self, values: list):
        """The first of two drawn candidates' values, any shape, with the slope of a binary gate between both."""
        shares = ops.softmax(ops.concat([self.alphas[number : number + 1] for number in self.drawn], 0), 0)
        gates = ops.array(np.float32([1, 0])) + shares - ops.stop_gradient(shares)  # (2,): value 1, 0; slope of shares
        both = ops.stack(values, 0).reshape((2, -1))
        return ops.matmul(gates.reshape((1, 2)), both).reshape(tuple(values[0].shape))


module_of.register(layers.Block, BlockUnit)
module_of.register(layers.Residual, ResidualUnit)
module_of.register(layers.Gate, GateUnit)
module_of.register(layers.Choice, ChoiceUnit)


@singledispatch
def call(layer: Layer, module, x, sizes: np.ndarray | None, kept: dict) -> tuple:
    """One layer of a chain: its module (or None), the value with its sizes, the kept ones -> the next value, sizes."""
    raise UserError(f"the layer {type(layer).__name__} does not run in a chain")


def _call_of(layer: Layer):
    """What `call` will do with a layer. One that nobody registered is refused here, before anything runs."""
    found = call.dispatch(type(layer))
    if found is call.dispatch(object):
        found(layer, None, None, None, {})
    return found


def _alone(layer: Layer, module, x, sizes, kept) -> tuple:
    """Layers that look at one column or step at a time and keep their number."""
    return module(x), sizes


for _kind in (layers.BatchNorm, layers.LayerNorm, layers.Linear, layers.Dropout, layers.Positions):
    call.register(_kind, _alone)


@call.register(layers.Activation)
def _(layer: layers.Activation, module, x, sizes, kept) -> tuple:
    return getattr(ops, layer.kind)(x), sizes


@call.register(layers.Conv)
def _(layer: layers.Conv, module, x, sizes, kept) -> tuple:
    if layer.kernel[1] > 1 and sizes is not None:  # the invariant
        x = fill(x, sizes, 0.0)
    return module(x), after(layer, sizes)


@call.register(layers.ConvTranspose)
def _(layer: layers.ConvTranspose, module, x, sizes, kept) -> tuple:
    return module(x if sizes is None else fill(x, sizes, 0.0)), after(layer, sizes)


@call.register(layers.MaxPool)
def _(layer: layers.MaxPool, module, x, sizes, kept) -> tuple:
    if not layer.padding[1] or sizes is None:
        return ops.max_pool(x, layer.kernel, layer.stride, layer.padding), after(layer, sizes)
    x = ops.max_pool(fill(x, sizes, LOWEST), layer.kernel, layer.stride, layer.padding)
    sizes = after(layer, sizes)
    return fill(x, sizes, 0.0), sizes  # LOWEST would spoil the statistics of a norm that follows


@call.register(layers.AvgPool)
def _(layer: layers.AvgPool, module, x, sizes, kept) -> tuple:
    if not layer.touches:
        return _mean_of_windows(layer, x, sizes), after(layer, sizes)
    (batch, channels, height, width), (tall, wide) = x.shape, layer.kernel
    height, width = layer.size(height, width)
    windows = x[:, :, : height * tall, : width * wide].reshape((batch, channels, height, tall, width, wide))
    return ops.mean(windows, (3, 5)).reshape((batch, channels, height, width)), after(layer, sizes)


def _mean_of_windows(layer: layers.AvgPool, x, sizes: np.ndarray | None):
    """Overlapping windows (N, C, H', W'): sums along one side and then the other are products with zeros and ones."""
    (batch, channels, height, width), (tall, wide) = x.shape, layer.size(*x.shape[2:])
    down, along = (
        _windows(*axis) for axis in zip((height, width), (tall, wide), layer.kernel, layer.apart, layer.padding)
    )
    widths = np.full(batch, width) if sizes is None else np.asarray(sizes)
    counts = (np.arange(width) < widths[:, None]).astype(np.float32) @ along  # (N, W')
    shares = 1 / np.maximum(down.sum(0)[:, None] * counts[:, None, None], 1)  # (N, 1, H', W')
    x = x if sizes is None else fill(x, sizes, 0.0)
    rows = ops.matmul(x.reshape((batch * channels * height, width)), ops.array(along))
    rows = rows.reshape((batch, channels, height, wide)).permute(0, 1, 3, 2)  # (N, C, W', H)
    sums = ops.matmul(rows.reshape((batch * channels * wide, height)), ops.array(down))
    sums = sums.reshape((batch, channels, wide, tall)).permute(0, 1, 3, 2)  # (N, C, H', W')
    return sums * ops.array(shares)


def _windows(size: int, count: int, kernel: int, stride: int, padding: int) -> np.ndarray:
    """1 where a place lies in a window, else 0: float32 (size, count)."""
    from_left = np.arange(size)[:, None] - (np.arange(count) * stride - padding)
    return ((from_left >= 0) & (from_left < kernel)).astype(np.float32)


@call.register(layers.Slice)
def _(layer: layers.Slice, module, x, sizes, kept) -> tuple:
    return x[:, layer.first : layer.first + layer.count], sizes


@call.register(layers.Shuffle)
def _(layer: layers.Shuffle, module, x, sizes, kept) -> tuple:
    batch, channels, height, width = x.shape
    dealt = x.reshape((batch, layer.groups, channels // layer.groups, height * width)).permute(0, 2, 1, 3)
    return dealt.reshape((batch, channels, height, width)), sizes  # from (N, C / groups, groups, H·W)


@call.register(layers.GlobalMean)
def _(layer: layers.GlobalMean, module, x, sizes, kept) -> tuple:
    batch, channels, _, width = x.shape
    if sizes is None:
        return ops.mean(x, (2, 3)).reshape((batch, channels, 1, 1)), None
    # the mean of the whole map is width / own width times too small: the columns after the image's own are zero
    share = (width / np.asarray(sizes, np.float32)).reshape(-1, 1, 1, 1)
    mean = ops.mean(fill(x, sizes, 0.0), (2, 3)).reshape((batch, channels, 1, 1))
    return mean * ops.array(share), after(layer, sizes)


@call.register(layers.Upsample)
def _(layer: layers.Upsample, module, x, sizes, kept) -> tuple:
    return ops.upsample_nearest(x, layer.factor), after(layer, sizes)


@call.register(layers.BiLSTM)
def _(layer: layers.BiLSTM, module, x, sizes, kept) -> tuple:
    return module(x, sizes), sizes


@call.register(layers.GlobalMaxContext)
def _(layer: layers.GlobalMaxContext, module, x, sizes, kept) -> tuple:
    steps = x
    if sizes is not None:
        outside = np.arange(x.shape[0])[:, None] >= np.asarray(sizes)
        steps = x + ops.array(LOWEST * outside[:, :, None].astype(np.float32))
    largest = ops.amax(steps, 0).unsqueeze(0).expand(*x.shape)
    return ops.concat([x, largest], 2), sizes


@call.register(layers.SelfAttention)
def _(layer: layers.SelfAttention, module, x, sizes, kept) -> tuple:
    return module(x, x, sizes), sizes


@call.register(layers.CrossAttention)
def _(layer: layers.CrossAttention, module, x, sizes, kept) -> tuple:
    memory, lengths = recall(kept, layer.memory)
    queries, sizes = recall(kept, layer.queries) if layer.queries else (x, sizes)
    return module(queries, memory, lengths), sizes


@call.register(layers.Block)
def _(layer: layers.Block, module, x, sizes, kept) -> tuple:
    return module.body.with_sizes(x, sizes, kept)


@call.register(layers.Residual)
def _(layer: layers.Residual, module, x, sizes, kept) -> tuple:
    body, after_body = module.body.with_sizes(x, sizes, kept)
    return body + module.shortcut(x, sizes, kept), after_body


@call.register(layers.Gate)
def _(layer: layers.Gate, module, x, sizes, kept) -> tuple:
    return x * module.body(x, sizes, kept), sizes


@call.register(layers.Choice)
def _(layer: layers.Choice, module, x, sizes, kept) -> tuple:
    return module(x, sizes, kept)


@call.register(layers.Keep)
def _(layer: layers.Keep, module, x, sizes, kept) -> tuple:
    kept[layer.name] = (x, sizes)
    return x, sizes


@call.register(layers.Recall)
def _(layer: layers.Recall, module, x, sizes, kept) -> tuple:
    return recall(kept, layer.name)


@call.register(layers.Add)
def _(layer: layers.Add, module, x, sizes, kept) -> tuple:
    return x + _matching(kept, layer.name, x, sizes, range(4)), sizes


@call.register(layers.Concat)
def _(layer: layers.Concat, module, x, sizes, kept) -> tuple:
    axis = 1 if len(x.shape) == 4 else 2
    others = [axis_ for axis_ in range(4) if axis_ != axis]
    return ops.concat([x, *(_matching(kept, name, x, sizes, others) for name in layer.names)], axis), sizes


def _matching(kept: dict, name: str, x, sizes: np.ndarray | None, axes: Sequence[int]):
    """A kept value that is as large as x along `axes` (frameworks would broadcast) and as wide in each sample."""
    other, widths = recall(kept, name)
    pairs = [(x.shape[axis], other.shape[axis]) for axis in axes if axis < len(x.shape)]
    if any(a != b for a, b in pairs) or not np.array_equal(sizes, widths):
        raise ValueError(f"{name!r}, kept, is {list(other.shape)} of widths {widths}; x is {list(x.shape)} of {sizes}")
    return other
