"""Image layers: a plan added to a network on numbered values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from crnn_jt.backend import fast
from crnn_jt.backend.fast.network import Network
from crnn_jt.freeze.errors import NotCovered
from crnn_jt.freeze.groups import Group, group_plan, is_depthwise, name_of
from crnn_jt.freeze.levels import levels_of
from crnn_jt.layers import (
    Activation,
    Add,
    AvgPool,
    BatchNorm,
    Block,
    Concat,
    Conv,
    ConvTranspose,
    Gate,
    GlobalMean,
    Keep,
    Layer,
    MaxPool,
    Plan,
    Recall,
    Residual,
    Shuffle,
    Slice,
    Upsample,
    recall,
)

State = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Tail:
    """What happens to the last output of a plan: + value `addend` (-1: nothing), then the activation."""

    addend: int = -1
    activation: str | None = None


NO_TAIL = Tail()


class Images:
    """Adds image layers to a network.

    A network's values live in numbered places. A layer may write to any place that nothing later reads: neither the
    layer itself (its source) nor whoever called (`busy`: a residual unit's shortcut while its body is computed, and the
    same for the units around it), nor one that is `kept` under a name. So liveness needs no analysis but for names: it
    is the chain of callers.
    """

    def __init__(self, network: Network, state: State):
        self.network, self.state = network, state
        self.kept: dict[str, int] = {}

    def emit_plan(
        self, plan: Plan, value: int, prefix: str, busy: tuple[int, ...] = (), tail: Tail = NO_TAIL, first: int = 0
    ) -> int:
        """Adds the layers of `plan`, applied to `value`, then `tail`; returns the place of the output. The first layer
        has the key `{prefix}{first}`.
        """
        groups, outer = group_plan(plan, prefix, first), self.kept
        busy = (*busy, *outer.values())  # also those whose names the plan uses again
        # a last convolution without an activation of its own does the tail while its outputs are in registers
        absorbed = bool(groups) and tail != NO_TAIL and groups[-1].is_bare
        for number, group in enumerate(groups):
            later = frozenset().union(*(other.recalls for other in groups[number:]))
            self.kept = {name: place for name, place in self.kept.items() if name in outer or name in later}
            mine = tail if absorbed and group is groups[-1] else NO_TAIL
            value = emit(group.layer, self, group, value, (*busy, *self.kept.values()), mine)
        self.kept = outer
        if tail != NO_TAIL and not absorbed:
            source, value = value, self.unused(value, *busy)
            self.network.add(source, value, tail.addend, tail.activation)
        return value

    def emit_layer(self, layer: Layer, key: str, value: int, addend: str = "", activation: str | None = None) -> int:
        """Adds one layer, applied to `value`, + the kept value `addend`, then the activation; its arrays are
        `{key}.{name}`.
        """
        group = Group(key, layer, addend=addend, activation=activation)
        return emit(layer, self, group, value, tuple(self.kept.values()), NO_TAIL)

    def follow(self, group: Group, tail: Tail) -> tuple[int, str | None]:
        """What follows the product that a group ends with: the value that is added (-1: none), the activation."""
        return recall(self.kept, group.addend) if group.addend else tail.addend, group.activation or tail.activation

    def unused(self, *busy: int) -> int:
        """The lowest place but 0, the input's, that is not busy, nor kept."""
        taken = {*busy, *self.kept.values()}
        return next(number for number in range(1, len(taken) + 2) if number not in taken)


def begin_network(channels: int, library=None) -> Network:
    """An empty network for images of so many channels. Raises NotCovered where there are no kernels."""
    if library is None and not fast.available():
        raise NotCovered("a compiler that can build them (or CRNN_FAST=0 is set)")
    return Network(channels, library)


@singledispatch
def emit(layer: Layer, images: Images, group: Group, source: int, busy: tuple[int, ...], tail: Tail) -> int:
    """Adds a group, applied to the value at `source`; values at `busy` survive. Returns the place of the output."""
    raise NotCovered(f"{type(layer).__name__} among image layers")


@emit.register(Conv)
def _(layer: Conv, images: Images, group: Group, source: int, busy: tuple[int, ...], tail: Tail) -> int:
    if layer.groups != 1:
        return _emit_depthwise(layer, images, group, source, busy)
    target = images.unused(source, *busy)
    weight, bias = _fold_norm(images.state, group, layer.bias, out_axis=0)
    addend, activation = images.follow(group, tail)
    given = layer.window, spread(layer, weight), bias
    images.network.conv(source, target, *given, activation, group.pool.kernel, addend)
    return target


def _emit_depthwise(layer: Conv, images: Images, group: Group, source: int, busy: tuple[int, ...]) -> int:
    if not is_depthwise(layer):
        raise NotCovered(f"Conv with {layer.groups} groups of {layer.in_channels} to {layer.out_channels} channels")
    target = images.unused(source, *busy)
    weight, bias = _fold_norm(images.state, group, layer.bias, out_axis=0)
    images.network.depthwise(source, target, layer.window, spread(layer, weight)[:, 0], bias, group.activation)
    return target


@emit.register(ConvTranspose)
def _(layer: ConvTranspose, images: Images, group: Group, source: int, busy: tuple[int, ...], tail: Tail) -> int:
    if layer.stride != layer.kernel or layer.padding != (0, 0):
        raise NotCovered("ConvTranspose whose windows overlap, or are cut")
    target = images.unused(source, *busy)
    weight, bias = _fold_norm(images.state, group, layer.bias, out_axis=1)
    images.network.transposed_conv(source, target, weight, bias, group.activation)
    return target


@emit.register(BatchNorm)
def _(layer: BatchNorm, images: Images, group: Group, source: int, busy: tuple[int, ...], tail: Tail) -> int:
    target = images.unused(source, *busy)
    images.network.affine(source, target, *scale_and_shift(layer, images.state, group.key), group.activation)
    return target


@emit.register(Activation)
def _(layer: Activation, images: Images, group: Group, source: int, busy: tuple[int, ...], tail: Tail) -> int:
    target = images.unused(source, *busy)
    images.network.add(source, target, -1, name_of(layer))
    return target


@emit.register(MaxPool)
def _(layer: MaxPool, images: Images, group: Group, source: int, busy: tuple[int, ...], tail: Tail) -> int:
    target = images.unused(source, *busy)
    images.network.pool(source, target, layer.window)
    return target


@emit.register(AvgPool)
def _(layer: AvgPool, images: Images, group: Group, source: int, busy: tuple[int, ...], tail: Tail) -> int:
    target = images.unused(source, *busy)
    images.network.mean_pool(source, target, layer.window)
    return target


@emit.register(Slice)
def _(layer: Slice, images: Images, group: Group, source: int, busy: tuple[int, ...], tail: Tail) -> int:
    target = images.unused(source, *busy)
    images.network.pick(source, target, range(layer.first, layer.first + layer.count))
    return target


@emit.register(Shuffle)
def _(layer: Shuffle, images: Images, group: Group, source: int, busy: tuple[int, ...], tail: Tail) -> int:
    target, each = images.unused(source, *busy), layer.features // layer.groups
    images.network.pick(source, target, [g * each + c for c in range(each) for g in range(layer.groups)])
    return target


@emit.register(Upsample)
def _(layer: Upsample, images: Images, group: Group, source: int, busy: tuple[int, ...], tail: Tail) -> int:
    target = images.unused(source, *busy)
    images.network.upsample(source, target, layer.factor)
    return target


@emit.register(Block)
def _(layer: Block, images: Images, group: Group, source: int, busy: tuple[int, ...], tail: Tail) -> int:
    return images.emit_plan(layer.body, source, f"{group.key}.body.", busy, Tail(*images.follow(group, NO_TAIL)))


@emit.register(Residual)
def _(layer: Residual, images: Images, group: Group, source: int, busy: tuple[int, ...], tail: Tail) -> int:
    # The shortcut first: its value stays busy while the body runs, whose last convolution adds it.
    shortcut = source
    if layer.shortcut:
        shortcut = images.emit_plan(layer.shortcut, source, f"{group.key}.shortcut.", (source, *busy))
    total = Tail(shortcut, group.activation)
    return images.emit_plan(layer.body, source, f"{group.key}.body.", (shortcut, *busy), total)


@emit.register(GlobalMean)
def _(layer: GlobalMean, images: Images, group: Group, source: int, busy: tuple[int, ...], tail: Tail) -> int:
    target = images.unused(source, *busy)
    images.network.global_mean(source, target)
    return target


@emit.register(Gate)
def _(layer: Gate, images: Images, group: Group, source: int, busy: tuple[int, ...], tail: Tail) -> int:
    gate = images.emit_plan(layer.body, source, f"{group.key}.body.", (source, *busy))
    target = images.unused(source, gate, *busy)
    if group.reader:
        images.network.int8_gate(source, target, gate, levels_of(images.state, group.reader))
    else:
        images.network.gate(source, target, gate)
    return target


@emit.register(Keep)
def _(layer: Keep, images: Images, group: Group, source: int, busy: tuple[int, ...], tail: Tail) -> int:
    images.kept[layer.name] = source
    return source


@emit.register(Recall)
def _(layer: Recall, images: Images, group: Group, source: int, busy: tuple[int, ...], tail: Tail) -> int:
    return recall(images.kept, layer.name)


@emit.register(Add)
def _(layer: Add, images: Images, group: Group, source: int, busy: tuple[int, ...], tail: Tail) -> int:
    target = images.unused(source, *busy)
    images.network.add(source, target, recall(images.kept, layer.name), group.activation)
    return target


@emit.register(Concat)
def _(layer: Concat, images: Images, group: Group, source: int, busy: tuple[int, ...], tail: Tail) -> int:
    target = images.unused(source, *busy)
    images.network.concat([source, *(recall(images.kept, name) for name in layer.names)], target)
    return target


def spread(layer: Conv, weight: np.ndarray) -> np.ndarray:
    """A dilated kernel's weights (out, in, kh, kw) with zeros between them, over all that it spans: the kernels know no
    dilation, and take these for longer than their own products.
    """
    if layer.dilation == (1, 1):
        return weight
    wide = np.zeros((*weight.shape[:2], *layer.span), weight.dtype)
    wide[:, :, :: layer.dilation[0], :: layer.dilation[1]] = weight
    return wide


def _fold_norm(state: State, group: Group, has_bias: bool, out_axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Weight and bias (out,) of a group's convolution with its norm folded in, in float64, so that folding rounds once;
    the weight's axis `out_axis` are the outputs.
    """
    weight = np.asarray(state[f"{group.key}.weight"], np.float64)
    bias = np.asarray(state[f"{group.key}.bias"], np.float64) if has_bias else np.zeros(weight.shape[out_axis])
    if group.norm is None:
        return weight, bias
    scale, shift = scale_and_shift(group.norm, state, group.norm_key)
    along = [-1 if axis == out_axis else 1 for axis in range(weight.ndim)]
    return weight * scale.reshape(along), bias * scale + shift


def scale_and_shift(layer: BatchNorm, state: State, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Batch normalisation with its running statistics as (scale, shift), each (channels,), float64."""
    weight, bias, mean, variance = (
        np.asarray(state[f"{key}.{name}"], np.float64) for name in ("weight", "bias", "running_mean", "running_var")
    )
    scale = weight / np.sqrt(variance + layer.eps)
    return scale, bias - mean * scale
