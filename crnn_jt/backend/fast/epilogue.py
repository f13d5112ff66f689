"""The epilogue of a convolution in training: batch normalisation, ReLU and max pooling in one operator."""

from __future__ import annotations

import numpy as np

from crnn_jt import runtime
from crnn_jt.backend.fast import build, fields
from crnn_jt.backend.fast.nhwc import count_windows, describe_images
from crnn_jt.layers import NO_POOL, MaxPool

jt = runtime.import_jittor()


def apply_epilogue(
    z,
    channels: int,
    norm=None,
    pool: MaxPool = NO_POOL,
    inside: np.ndarray | None = None,
    kept: np.ndarray | None = None,
):
    """z (N, H, W, stride), as a convolution left it -> (y (N, H', W', stride), mean (C,), biased variance (C,)).

    y is z normalised over the batch, max(·, 0), max pooling. `norm` has weight (C,), bias (C,) and eps; without it mean
    and variance are None. Only the first `inside` (N,) columns of z may win a pooling; the columns of y after the first
    `kept` (N,) are zero. Differentiable in z, weight and bias. Raises ValueError where no window fits.
    """
    if norm is None:
        return _Epilogue.apply(z, None, None, 1.0, channels, pool, inside, kept), None, None
    return _Epilogue.apply(z, norm.weight, norm.bias, norm.eps, channels, pool, inside, kept)


class _Epilogue(jt.Function):
    def execute(self, z, weight, bias, eps, channels, pool, inside, kept):
        batch, *size, stride = z.shape
        shape = (batch, *count_windows(size, pool.kernel, pool.stride, pool.padding, "to pool by"), stride)
        self.fields = fields.Epilogue(
            eps=eps,
            z=describe_images(z.shape, channels),
            has_norm=weight is not None,
            pool=fields.Window.of(pool.kernel, pool.stride, pool.padding),
            inside=() if inside is None else inside,
            kept=() if kept is None else kept,
        )
        if weight is None:
            self.kept = (z,)
            return build.call("crnn_call_epilogue", [z], [shape], self.fields)[0]
        shapes = [shape, (channels,), (channels,)]
        y, mean, var = build.call("crnn_call_epilogue", [z, weight, bias], shapes, self.fields)
        self.kept = z, weight, bias, mean.stop_grad(), var.stop_grad()
        return y, mean, var

    def grad(self, dy, *_):
        shapes = [self.kept[0].shape, *(v.shape for v in self.kept[1:3])]
        found = build.call("crnn_call_epilogue_grad", [dy, *self.kept], shapes, self.fields)
        return *found, *[None] * (8 - len(found))  # one for each argument
