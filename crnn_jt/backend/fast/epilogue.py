"""The epilogue of a convolution in training: batch normalisation, activation and max pooling or a sum, one operator."""

from __future__ import annotations

import numpy as np

from crnn_jt import runtime
from crnn_jt.backend.fast import build, fields
from crnn_jt.backend.fast.network_fields import ACTIVATIONS
from crnn_jt.backend.fast.nhwc import count_windows, describe_images
from crnn_jt.layers import NO_POOL, MaxPool

jt = runtime.import_jittor()


class Link:
    """Between an operator whose output is normalised, and the one that normalises it and reads it alone.

    Going back, the latter works out what is left to do to its gradient, (3, stride) (`norm_train.h`), and the former
    does it while the gradient is in the cache anyway.
    """

    after = None


def measure(z, channels: int) -> tuple:
    """Mean and biased variance (C,) of each channel of z (N, H, W, stride); outside the graph."""
    shape = (channels,)
    mean, var = build.call("crnn_call_statistics", [z], [shape, shape], describe_images(z.shape, channels))
    return mean.stop_grad(), var.stop_grad()


def apply_epilogue(
    z,
    channels: int,
    norm=None,
    pool: MaxPool = NO_POOL,
    inside: np.ndarray | None = None,
    kept: np.ndarray | None = None,
    act: str | None = "relu",
    statistics: tuple | None = None,
    addend=None,
    link: Link | None = None,
):
    """z (N, H, W, stride), as a convolution left it -> y (N, H', W', stride).

    y is z normalised, then the activation, then max pooling, then the sum with `addend`, laid out as y. `norm` has
    weight (C,), bias (C,) and eps; `statistics` are z's, from `measure`, `link` leads to what made it. Only the first
    `inside` (N,) columns of z may win a pooling; the columns of y after the first `kept` (N,) are zero (never together
    with an addend). Differentiable in z, weight, bias and addend; the gradient through z is that through its statistics
    too. Raises ValueError where no window fits.
    """
    arrays = [None] * 5
    if norm is not None:
        arrays = [norm.weight, norm.bias, *(statistics or measure(z, channels)), norm.eps]
    return _Epilogue.apply(z, *arrays, addend, channels, pool, inside, kept, ACTIVATIONS[act], link)


class _Epilogue(jt.Function):
    def execute(self, z, weight, bias, mean, var, eps, addend, channels, pool, inside, kept, act, link):
        batch, *size, stride = z.shape
        shape = (batch, *count_windows(size, pool.kernel, pool.stride, pool.padding, "to pool by"), stride)
        self.fields = fields.Epilogue(
            eps=eps or 1.0,
            z=describe_images(z.shape, channels),
            has_norm=weight is not None,
            has_addend=addend is not None,
            act=act,
            defers=link is not None and weight is not None,
            pool=fields.Window.of(pool.kernel, pool.stride, pool.padding),
            inside=() if inside is None else inside,
            kept=() if kept is None else kept,
        )
        self.link = link
        self.kept = [z] if weight is None else [z, weight, bias, mean, var]
        inputs = self.kept if addend is None else [*self.kept, addend]
        return build.call("crnn_call_epilogue", inputs, [shape], self.fields)[0]

    def grad(self, dy):
        shapes = [v.shape for v in self.kept[:3]]
        if self.fields.defers:
            shapes.append((3, self.fields.z.stride))
        dz, *slopes = build.call("crnn_call_epilogue_grad", [dy, *self.kept], shapes, self.fields)
        if self.fields.defers:
            self.link.after = slopes.pop()
        slopes = slopes or [None, None]
        return dz, *slopes, None, None, None, dy if self.fields.has_addend else None, *[None] * 6
