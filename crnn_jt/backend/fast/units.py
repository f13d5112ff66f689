"""Plans that train in the kernels' own layout (NHWC) from the first layer to the last.

What follows a convolution is not done at once but noted (`_Map`): a 1x1 or a depthwise convolution, which multiplies
little, takes it into its own operator (`mobile.py`); elsewhere it becomes an epilogue (`epilogue.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from crnn_jt import layers, runtime
from crnn_jt.backend.fast.conv import convolve
from crnn_jt.backend.fast.epilogue import Link, apply_epilogue, measure
from crnn_jt.backend.fast.mobile import Before, Gate, apply_unit
from crnn_jt.backend.fast.nhwc import pad_channels, to_nchw, to_nhwc
from crnn_jt.layers import NO_POOL, Layer, MaxPool, Plan

jt = runtime.import_jittor()


class _Map(NamedTuple):
    """z (N, H, W, stride) of `widths` (N,) or None, and what is still to be done to it, in this order."""

    z: object
    channels: int
    widths: np.ndarray | None
    statistics: tuple | None = None  # of z, where they are known
    norm: object = None
    act: str | None = None
    pool: MaxPool = NO_POOL
    gate: Gate | None = None
    link: Link | None = None  # to what made z

    @property
    def done(self) -> bool:
        return self.norm is None and self.act is None and self.pool == NO_POOL

    def before(self) -> Before:
        return Before(self.norm, self.statistics, self.act, self.gate, self.link)


def run_stack(stack, x, widths: np.ndarray | None, taps: Sequence[int] = ()) -> tuple | None:
    """See `run_stack` of the seam."""
    value, tapped = _run(stack, _enter(stack.plan[0], x, widths), taps)
    return _leave(value), {tap: _leave(one) for tap, one in tapped.items()}


def covers(stack, trains: Callable, taps: Sequence[int] = ()) -> bool:
    """Whether all layers of a stack can be run here; `trains` is asked of the module of each that has one."""
    plan = stack.plan
    kinds = [_kind(layer) for layer in plan]
    if not {"convolution", "plans"} & set(kinds):  # the way to another layout and back would cost more than the layers
        return False
    if any(kinds[tap] == "gate" for tap in taps):  # its product never lies in memory
        return False
    for place, layer in enumerate(plan):
        covered = _COVERED.get(type(layer), _always)
        if type(layer) not in _STEPS or not covered(layer, _module(stack, place), plan[place + 1 :], trains):
            return False
    return True


def _module(stack, place: int):
    return getattr(stack, str(place), None)


def _enter(first: Layer, x, widths: np.ndarray | None) -> _Map:
    """From (N, C, H, W). A picture that a dense convolution looks at keeps its few channels, zero beyond its width."""
    narrow = _kind(first) == "convolution" and first.groups == 1 and x.shape[1] < 4
    if narrow and first.kernel[1] > 1 and widths is not None:
        inside = np.arange(x.shape[3]) < np.asarray(widths)[:, None]
        x = x * jt.array(inside[:, None, None, :].astype(np.float32))
    return _Map(to_nhwc(x, narrow), x.shape[1], widths)


def _leave(value: _Map) -> tuple:
    """(N, C, H, W) and its widths."""
    value = _finish(value)
    return to_nchw(value.z, value.channels), value.widths


def _run(stack, value: _Map, taps: Sequence[int] = ()) -> tuple[_Map, dict[int, _Map]]:
    tapped = {}
    for place, layer in enumerate(stack.plan):
        value = _STEPS[type(layer)](layer, _module(stack, place), stack.plan[place + 1 :], value)
        if place in taps:
            value = tapped[place] = _finish(value)._replace(link=None)  # from here on others read z too
    return value, tapped


def _finish(value: _Map, clear: bool = False, addend=None) -> _Map:
    """What is noted, done; with `clear` the result is zero beyond the images' widths; plus an addend."""
    if value.done and addend is None and not clear:
        return value
    pool, after = value.pool, _after(value.pool, value.widths)
    beyond = bool(pool.padding[1])  # then windows reach beyond an image's width
    inside, kept = value.widths if beyond else None, after if beyond or clear else None
    how = pool, inside, kept, value.act, value.statistics, addend, value.link
    z = apply_epilogue(value.z, value.channels, value.norm, *how)
    return _Map(z, value.channels, after)


def _after(layer: Layer, widths: np.ndarray | None) -> np.ndarray | None:
    """Widths (N,) after a layer, None for None."""
    return None if widths is None else layer.size(0, widths)[1]


def _measured(rest: Plan) -> bool:
    return bool(rest) and _kind(rest[0]) == "norm"


def _conv(layer: layers.Conv, module, rest: Plan, value: _Map) -> _Map:
    whole = value.z.shape[3] == pad_channels(value.channels)
    if _is_mobile(layer) and whole:
        if value.pool != NO_POOL:
            value = _finish(value)
        z, statistics, link = apply_unit(value.z, module, value.before(), value.widths, _measured(rest))
        return _Map(z, layer.out_channels, _after(layer, value.widths), statistics, link=link)
    # a picture of few channels was cleared where it came in
    value = _finish(value, whole and layer.kernel[1] > 1 and value.widths is not None)
    z = convolve(value.z, module.weight, module.bias, layer.stride, layer.padding)
    return _Map(z, layer.out_channels, _after(layer, value.widths))


def _is_mobile(layer: layers.Conv) -> bool:
    """Depthwise, or 1x1 that looks at every pixel."""
    flat = (layer.kernel, layer.stride, layer.padding) == ((1, 1), (1, 1), (0, 0))
    return flat if layer.groups == 1 else layer.groups == layer.in_channels == layer.out_channels


def _batch_norm(layer: layers.BatchNorm, module, rest: Plan, value: _Map) -> _Map:
    value = value if value.done else _finish(value)
    statistics = value.statistics or measure(value.z, value.channels)
    module.remember(*statistics)
    return value._replace(norm=module, statistics=statistics)


def _activation(layer: layers.Activation, module, rest: Plan, value: _Map) -> _Map:
    if value.act is not None or value.pool != NO_POOL:
        value = _finish(value)
    return value._replace(act=layer.kind)


def _max_pool(layer: layers.MaxPool, module, rest: Plan, value: _Map) -> _Map:
    if value.pool != NO_POOL:
        value = _finish(value)
    return value._replace(pool=layer)


def _residual(layer: layers.Residual, module, rest: Plan, value: _Map) -> _Map:
    value = _finish(value)
    body, shortcut = _run(module.body, value)[0], _finish(_run(module.shortcut, value)[0])
    if body.done or body.act is not None or body.pool != NO_POOL:
        body = _finish(body)
        return body._replace(z=body.z + shortcut.z, statistics=None)
    return _finish(body, addend=shortcut.z)


def _gate(layer: layers.Gate, module, rest: Plan, value: _Map) -> _Map:
    if value.pool != NO_POOL:
        value = _finish(value)
    squeeze, excite = (_module(module.body, place) for place in (1, 3))
    return value._replace(gate=Gate(squeeze, layer.body[2].kind, excite, layer.body[4].kind))


def _choice(layer: layers.Choice, module, rest: Plan, value: _Map) -> _Map:
    value = _finish(value)
    found = [_run(_module(module, number), value)[0] for number in module.chosen()]
    if len(found) == 1:
        return found[0]
    found = [_finish(each) for each in found]
    return found[0]._replace(z=module.blend([each.z for each in found]), statistics=None)


_STEPS = {
    layers.Conv: _conv,
    layers.BatchNorm: _batch_norm,
    layers.Activation: _activation,
    layers.MaxPool: _max_pool,
    layers.Residual: _residual,
    layers.Gate: _gate,
    layers.Choice: _choice,
}


_KINDS = {
    layers.Conv: "convolution",
    layers.BatchNorm: "norm",
    layers.Gate: "gate",
    layers.Residual: "plans",
    layers.Choice: "plans",
}


def _kind(layer: Layer) -> str | None:
    """What matters of a layer to those before and after it."""
    return _KINDS.get(type(layer))


def _always(layer: Layer, module, rest: Plan, trains: Callable) -> bool:
    return True


def _covers_conv(layer: layers.Conv, module, rest: Plan, trains: Callable) -> bool:
    return trains(module) and (layer.groups == 1 or _is_mobile(layer))


def _covers_norm(layer: layers.BatchNorm, module, rest: Plan, trains: Callable) -> bool:
    return trains(module)


def _covers_children(layer: Layer, module, rest: Plan, trains: Callable) -> bool:
    return all(not plan or covers(getattr(module, name), trains) for name, plan in layer.children().items())


def _covers_gate(layer: layers.Gate, module, rest: Plan, trains: Callable) -> bool:
    """Squeeze-and-excitation before a 1x1 convolution, whose operator takes it in."""
    kinds = layers.GlobalMean, layers.Conv, layers.Activation, layers.Conv, layers.Activation
    followed = bool(rest) and _kind(rest[0]) == "convolution" and rest[0].groups == 1 and _is_mobile(rest[0])
    if not followed or tuple(map(type, layer.body)) != kinds:
        return False
    convs = layer.body[1], layer.body[3]
    return all(_is_mobile(conv) and conv.groups == 1 and conv.bias for conv in convs) and all(
        trains(_module(module.body, place)) for place in (1, 3)
    )


_COVERED = {
    layers.Conv: _covers_conv,
    layers.BatchNorm: _covers_norm,
    layers.Residual: _covers_children,
    layers.Gate: _covers_gate,
    layers.Choice: _covers_children,
}
