"""Batch normalisation, max pooling and ReLU that train on Jittor's own layout, each pass one operator."""

from __future__ import annotations

from crnn_jt import runtime
from crnn_jt.backend.fast import build, fields
from crnn_jt.backend.fast.nhwc import count_windows

jt = runtime.import_jittor()


def batch_norm(x, weight, bias, eps: float):
    """x (N, C, H, W) normalised over its batch, weight and bias (C,) -> (y, mean (C,), biased variance (C,)).

    Differentiable in x, weight and bias, through y alone.
    """
    return _BatchNorm.apply(x, weight, bias, eps)


def max_pool(x, kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]):
    """x (N, C, H, W) -> (N, C, H', W'); padding never wins, the first of equals gets the gradient.

    Raises ValueError where no window fits.
    """
    return _MaxPool.apply(x, kernel, stride, padding)


def relu(x):
    """max(x, 0), x of any shape; differentiable."""
    return _ReLU.apply(x)


class _BatchNorm(jt.Function):
    def execute(self, x, weight, bias, eps):
        batch, channels, height, width = x.shape
        self.fields = fields.BatchNorm(eps=eps, area=height * width, batch=batch, channels=channels)
        shapes = [x.shape, (channels,), (channels,)]
        y, mean, var = build.call("crnn_call_batch_norm", [x, weight, bias], shapes, self.fields)
        mean, var = mean.stop_grad(), var.stop_grad()
        self.kept = x, weight, mean, var
        return y, mean, var

    def grad(self, dy, *_):
        x, weight, mean, var = self.kept
        shapes = [x.shape, weight.shape, weight.shape]
        dx, dweight, dbias = build.call("crnn_call_batch_norm_grad", [x, dy, weight, mean, var], shapes, self.fields)
        return dx, dweight, dbias, None


class _MaxPool(jt.Function):
    def execute(self, x, kernel, stride, padding):
        batch, channels, height, width = self.shape = x.shape
        window = fields.Window.of(kernel, stride, padding)
        self.fields = fields.MaxPool(planes=batch * channels, height=height, width=width, window=window)
        shape = (batch, channels, *count_windows((height, width), kernel, stride, padding, "to pool by"))
        y, self.places = build.call("crnn_call_max_pool", [x], [shape, shape], self.fields)
        return y

    def grad(self, dy):
        (dx,) = build.call("crnn_call_max_pool_grad", [dy, self.places], [self.shape], self.fields)
        return dx, None, None, None


class _ReLU(jt.Function):
    def execute(self, x):
        (self.y,) = build.call("crnn_call_relu", [x], [x.shape], fields.ReLU(count=x.numel()))
        return self.y

    def grad(self, dy):
        return build.call("crnn_call_relu_grad", [dy, self.y], [dy.shape], fields.ReLU(count=dy.numel()))[0]
