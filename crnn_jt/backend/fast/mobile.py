"""Units of mobile networks that train: what comes before a 1x1 or a depthwise convolution is one operator with it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from crnn_jt import runtime
from crnn_jt.backend.fast import build, fields
from crnn_jt.backend.fast.epilogue import Link
from crnn_jt.backend.fast.network_fields import ACTIVATIONS
from crnn_jt.backend.fast.nhwc import count_windows, describe_images, pad_channels, to_nchw, to_nhwc

jt = runtime.import_jittor()


class Gate(NamedTuple):
    """Squeeze-and-excitation: two 1x1 convolutions with weight (out, in, 1, 1) and bias (out,), what follows each."""

    squeeze: object
    squeeze_act: str | None
    excite: object
    excite_act: str | None


class Before(NamedTuple):
    """What z goes through before the convolution: norm (weight, bias, eps) with z's statistics, activation, gate."""

    norm: object = None
    statistics: tuple | None = None
    act: str | None = None
    gate: Gate | None = None
    link: Link | None = None  # to what made z


NOTHING = Before()


def apply_unit(
    z,
    conv,
    before: Before = NOTHING,
    widths: np.ndarray | None = None,
    measures: bool = False,
):
    """z (N, H, W, stride) -> what a 1x1 or depthwise convolution `conv` makes of it (N, H', W', stride'); with
    `measures` also its statistics (mean, variance of each channel) and a link for the norm that follows, else None.

    `widths` (N,) are the images' own columns of z where they differ: a convolution wider than 1 finds zeros beyond
    them, a gate looks at no others. Differentiable in z and all arrays; the gradient through z is that through its
    statistics too.
    """
    bias = [] if conv.bias is None else [conv.bias]
    norm, gate = [], []
    if before.norm is not None:
        norm = [before.norm.weight, before.norm.bias, *before.statistics]
    if before.gate is not None:
        gate = [a for one in (before.gate.squeeze, before.gate.excite) for a in (one.weight, one.bias)]
    channels, depthwise = conv.in_channels, conv.groups > 1
    squeeze_act, excite_act = (before.gate.squeeze_act, before.gate.excite_act) if gate else (None, None)
    described = fields.Unit(
        eps=before.norm.eps if norm else 1.0,
        z=describe_images(z.shape, channels),
        out_channels=conv.out_channels,
        depthwise=depthwise,
        window=fields.Window.of(conv.kernel_size, conv.stride, conv.padding),
        has_bias=len(bias),
        has_norm=bool(norm),
        act=ACTIVATIONS[before.act],
        gate_inner=before.gate.squeeze.out_channels if gate else 0,
        gate_squeeze=ACTIVATIONS[squeeze_act],
        gate_act=ACTIVATIONS[excite_act],
        clears=widths is not None and conv.kernel_size[1] > 1,
        measures=measures,
        defers=bool(norm) and before.link is not None,
        deferred=False,  # until the way back
        inside=() if widths is None else widths,
    )
    link = Link() if measures else None
    found = _Unit.apply(described, before.link, link, z, conv.weight, *bias, *norm, *gate)
    return (found[0], tuple(found[1:3]), link) if measures else (found, None, None)


def depthwise2d(x, conv):
    """x (N, C, H, W) -> (N, C, H', W'), a depthwise convolution alone; differentiable."""
    return to_nchw(apply_unit(to_nhwc(x, narrow=False), conv)[0], conv.out_channels)


class _Unit(jt.Function):
    """(fields, links of z and y, z, weight, bias where there is one, norm's four, gate's four) -> y, with statistics
    also those.
    """

    def execute(self, described, link, own_link, z, *arrays):
        batch, *size, stride = z.shape
        f, self.fields, self.link, self.own_link = described, described, link, own_link
        window = (f.window.kernel_h, f.window.kernel_w), (f.window.stride_h, f.window.stride_w)
        padding = f.window.padding_h, f.window.padding_w
        rows, columns = count_windows(size, *window, padding, "for a kernel of")
        shapes = [(batch, rows, columns, pad_channels(f.out_channels))]
        shapes += [(f.out_channels,)] * 2 * f.measures + [(batch, stride)] * bool(f.gate_inner)
        self.y, *others = build.call("crnn_call_unit", [z, *arrays], shapes, f)
        others = [v.stop_grad() for v in others]
        self.z, self.arrays, self.means = z, arrays, others[2 * f.measures :]
        return (self.y, *others[:2]) if f.measures else self.y

    def grad(self, dy, *_):
        f, left = self.fields, self.own_link.after if self.own_link else None
        f.deferred = left is not None
        first = 1 + f.has_bias  # after the convolution's own arrays come the norm's
        given = [k for k in range(len(self.arrays)) if not (f.has_norm and first + 2 <= k < first + 4)]
        shapes = [self.z.shape, *(self.arrays[k].shape for k in given)] + [(3, f.z.stride)] * f.defers
        inputs = [dy, self.z, *([self.y, left] if f.deferred else []), *self.means, *self.arrays]
        dz, *slopes = build.call("crnn_call_unit_grad", inputs, shapes, f)
        if f.defers:
            self.link.after = slopes.pop()
        by_place = dict(zip(given, slopes))
        return None, None, None, dz, *(by_place.get(k) for k in range(len(self.arrays)))
