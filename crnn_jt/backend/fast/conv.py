"""Convolutions that train: forward, input and weight gradient in the kernels, 3x3 ones by Winograd's algorithm."""

from __future__ import annotations

from crnn_jt import runtime
from crnn_jt.backend.fast import build
from crnn_jt.backend.fast.pixels import stride_of, to_pixels, to_planes, windows

jt = runtime.import_jittor()


def conv2d(x, weight, bias=None, stride: tuple[int, int] = (1, 1), padding: tuple[int, int] = (0, 0)):
    """x (N, in, H, W), weight (out, in, kh, kw), bias (out,) or None -> (N, out, H', W'); differentiable."""
    return to_planes(convolve(to_pixels(x), weight, bias, stride, padding), weight.shape[0])


def convolve(x, weight, bias=None, stride: tuple[int, int] = (1, 1), padding: tuple[int, int] = (0, 0)):
    """The same on pixels (`pixels.py`)."""
    return _Convolve.apply(x, weight, bias, tuple(stride), tuple(padding))


class _Convolve(jt.Function):
    def execute(self, x, weight, bias, stride, padding):
        batch, *size, floats = x.shape
        out, channels, *kernel = weight.shape
        self.numbers = [batch, *size, channels, floats, out, int(bias is not None), *kernel, *stride, *padding]
        self.kept = x, weight
        shape = windows(size, kernel, stride, padding, "for a kernel of")
        inputs = [x, weight] if bias is None else [x, weight, bias]
        (y,) = build.call("crnn_call_conv", inputs, [(batch, *shape, stride_of(out))], self.numbers)
        return y

    def grad(self, dy):
        x, weight = self.kept
        (dx,) = build.call("crnn_call_conv_input_grad", [dy, weight], [x.shape], self.numbers)
        shapes = [weight.shape, (weight.shape[0],)]
        dweight, dbias = build.call("crnn_call_conv_weight_grad", [x, dy], shapes, self.numbers)
        return dx, dweight, dbias if self.numbers[6] else None, None, None
