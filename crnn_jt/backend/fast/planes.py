"""Batch normalisation, max pooling and ReLU that train, each pass one operator."""

from __future__ import annotations

from crnn_jt import runtime
from crnn_jt.backend.fast import build
from crnn_jt.backend.fast.pixels import windows

jt = runtime.import_jittor()


def batch_norm(x, weight, bias, eps: float):
    """x (N, C, H, W) normalised over its batch -> (y, mean (C,), biased variance (C,)); y is differentiable."""
    return _BatchNorm.apply(x, weight, bias, eps)


def max_pool(x, kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]):
    """x (N, C, H, W) -> (N, C, H', W'); padded places never win, the first of equals gets the gradient."""
    return _MaxPool.apply(x, kernel, stride, padding)


def relu(x):
    """max(x, 0) of any shape."""
    return _ReLU.apply(x)


class _BatchNorm(jt.Function):
    def execute(self, x, weight, bias, eps):
        batch, channels, height, width = x.shape
        self.numbers = [batch, channels, height * width, round(1 / eps)]
        shapes = [x.shape, (channels,), (channels,)]
        y, mean, var = build.call("crnn_call_batch_norm", [x, weight, bias], shapes, self.numbers)
        mean, var = mean.stop_grad(), var.stop_grad()
        self.kept = x, weight, mean, var
        return y, mean, var

    def grad(self, dy, *_):
        x, weight, mean, var = self.kept
        shapes = [x.shape, weight.shape, weight.shape]
        dx, dweight, dbias = build.call("crnn_call_batch_norm_grad", [x, dy, weight, mean, var], shapes, self.numbers)
        return dx, dweight, dbias, None


class _MaxPool(jt.Function):
    def execute(self, x, kernel, stride, padding):
        batch, channels, *size = x.shape
        self.shape = x.shape
        self.numbers = [batch * channels, *size, *kernel, *stride, *padding]
        shape = (batch, channels, *windows(size, kernel, stride, padding, "to pool by"))
        y, self.places = build.call("crnn_call_max_pool", [x], [shape, shape], self.numbers)
        return y

    def grad(self, dy):
        (dx,) = build.call("crnn_call_max_pool_grad", [dy, self.places], [self.shape], self.numbers)
        return dx, None, None, None


class _ReLU(jt.Function):
    def execute(self, x):
        (self.y,) = build.call("crnn_call_relu", [x], [x.shape], [x.numel()])
        return self.y

    def grad(self, dy):
        return build.call("crnn_call_relu_grad", [dy, self.y], [dy.shape], [dy.numel()])[0]
