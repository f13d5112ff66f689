"""3x3 convolutions that train: forward, input and weight gradient through Winograd's algorithm in the kernels."""

from __future__ import annotations

from crnn_jt import runtime
from crnn_jt.backend.fast import build

jt = runtime.import_jittor()


def conv3x3(x, weight, bias=None):
    """x (N, in, H, W), weight (out, in, 3, 3), bias (out,) or None -> (N, out, H, W); stride 1, padding 1.

    Differentiable in all three.
    """
    return _Conv3x3.apply(x, weight, bias)


def covers(in_channels: int, out_channels: int, kernel, stride, padding, dilation, groups: int) -> bool:
    """Whether a convolution can go through `conv3x3` and gains by it."""
    plain = (tuple(kernel), tuple(stride), tuple(padding)) == ((3, 3), (1, 1), (1, 1))
    return plain and tuple(dilation) == (1, 1) and groups == 1 and min(in_channels, out_channels) >= 16


class _Conv3x3(jt.Function):
    def execute(self, x, weight, bias):
        batch, channels, height, width = x.shape
        self.numbers = [batch, channels, weight.shape[0], height, width, int(bias is not None)]
        self.kept = x, weight
        inputs = [x, weight] if bias is None else [x, weight, bias]
        (y,) = build.call("crnn_call_conv", inputs, [(batch, weight.shape[0], height, width)], self.numbers)
        return y

    def grad(self, dy):
        x, weight = self.kept
        (dx,) = build.call("crnn_call_conv_input_grad", [dy, weight], [x.shape], self.numbers)
        shapes = [weight.shape, (weight.shape[0],)]
        dweight, dbias = build.call("crnn_call_conv_weight_grad", [x, dy], shapes, self.numbers)
        return dx, dweight, dbias if self.numbers[5] else None
