"""Pixels: images (N, H, W, stride) whose pixels hold their channels together, as the kernels have them.

Behind its channels a pixel is zero up to whole vectors of the machine's; only grey and colour pictures are not padded.
"""

from __future__ import annotations

import numpy as np

from crnn_jt import runtime
from crnn_jt.backend.fast import build
from crnn_jt.layers import NO_POOL, MaxPool, window_out

jt = runtime.import_jittor()


def stride_of(channels: int) -> int:
    """Floats of a pixel, padding included."""
    lanes = build.native().crnn_lanes()
    return -(-channels // lanes) * lanes


def windows(size, kernel, stride, padding, purpose: str) -> list[int]:
    """How many windows fit down and across images of `size`. Raises ValueError, with the `purpose`, where none does."""
    out = [window_out(size[axis], kernel[axis], stride[axis], padding[axis]) for axis in (0, 1)]
    if min(out) < 1:
        raise ValueError(f"images of {size[0]}x{size[1]} are too small {purpose} {kernel[0]}x{kernel[1]}")
    return out


def to_pixels(x):
    """(N, C, H, W) -> pixels; differentiable."""
    return _ToPixels.apply(x)


def to_planes(x, channels: int):
    """Pixels -> (N, C, H, W); differentiable."""
    return _ToPlanes.apply(x, channels)


def finish(
    x,
    channels: int,
    norm=None,
    pool: MaxPool = NO_POOL,
    inside: np.ndarray | None = None,
    kept: np.ndarray | None = None,
):
    """Pixels as a convolution left them, normalised over the batch, max(·, 0), max pooling -> pixels, mean, variance.

    `norm` has weight, bias and eps; without it mean and variance are None. Only the first `inside` (N,) columns may win
    a pooling; those of the result behind the first `kept` (N,) are zero. Differentiable in x, weight and bias.
    """
    if norm is None:
        return _Finish.apply(x, None, None, 1.0, channels, pool, inside, kept), None, None
    return _Finish.apply(x, norm.weight, norm.bias, norm.eps, channels, pool, inside, kept)


class _ToPixels(jt.Function):
    def execute(self, x):
        batch, channels, *size = x.shape
        stride = channels if channels < 4 else stride_of(channels)
        self.shape, self.numbers = x.shape, [batch, *size, channels, stride]
        return build.call("crnn_call_to_pixels", [x], [(batch, *size, stride)], self.numbers)[0]

    def grad(self, dy):
        return build.call("crnn_call_to_planes", [dy], [self.shape], self.numbers)[0]


class _ToPlanes(jt.Function):
    def execute(self, x, channels):
        batch, *size, stride = x.shape
        self.shape, self.numbers = x.shape, [batch, *size, channels, stride]
        return build.call("crnn_call_to_planes", [x], [(batch, channels, *size)], self.numbers)[0]

    def grad(self, dy):
        return build.call("crnn_call_to_pixels", [dy], [self.shape], self.numbers)[0], None


class _Finish(jt.Function):
    def execute(self, z, weight, bias, eps, channels, pool, inside, kept):
        batch, *size, stride = z.shape
        out = windows(size, pool.kernel, pool.stride, pool.padding, "to pool by")
        columns = [[] if some is None else [int(count) for count in some] for some in (inside, kept)]
        self.numbers = [batch, *size, channels, stride, int(weight is not None), round(1 / eps)]
        self.numbers += [*pool.kernel, *pool.stride, *pool.padding, *map(len, columns), *columns[0], *columns[1]]
        shape = (batch, *out, stride)
        if weight is None:
            self.kept = (z,)
            return build.call("crnn_call_finish", [z], [shape], self.numbers)[0]
        shapes = [shape, (channels,), (channels,)]
        y, mean, var = build.call("crnn_call_finish", [z, weight, bias], shapes, self.numbers)
        self.kept = z, weight, bias, mean.stop_grad(), var.stop_grad()
        return y, mean, var

    def grad(self, dy, *_):
        shapes = [self.kept[0].shape, *(v.shape for v in self.kept[1:3])]
        found = build.call("crnn_call_finish_grad", [dy, *self.kept], shapes, self.numbers)
        return *found, *[None] * (8 - len(found))  # one for each argument
