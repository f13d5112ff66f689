"""Convolutions that train: forward, input and weight gradient in the kernels, 3x3 ones by Winograd's algorithm."""

from __future__ import annotations

from crnn_jt import runtime
from crnn_jt.backend.fast import build, fields
from crnn_jt.backend.fast.nhwc import count_windows, describe_images, pad_channels, to_nchw, to_nhwc

jt = runtime.import_jittor()


def conv2d(x, weight, bias=None, stride: tuple[int, int] = (1, 1), padding: tuple[int, int] = (0, 0)):
    """x (N, in, H, W), weight (out, in, kh, kw), bias (out,) or None -> (N, out, H', W'); differentiable.

    Raises ValueError where no window fits.
    """
    return to_nchw(convolve(to_nhwc(x), weight, bias, stride, padding), weight.shape[0])


def convolve(x, weight, bias=None, stride: tuple[int, int] = (1, 1), padding: tuple[int, int] = (0, 0)):
    """The same on channels-last images (`nhwc.py`): x (N, H, W, floats a pixel) -> (N, H', W', floats a pixel)."""
    return _Convolve.apply(x, weight, bias, tuple(stride), tuple(padding))


class _Convolve(jt.Function):
    def execute(self, x, weight, bias, stride, padding):
        batch, *size, _ = x.shape
        out, channels, *kernel = weight.shape
        shape = (batch, *count_windows(size, kernel, stride, padding, "for a kernel of"), pad_channels(out))
        self.fields = fields.Conv(
            x=describe_images(x.shape, channels),
            out_channels=out,
            has_bias=bias is not None,
            window=fields.Window.of(kernel, stride, padding),
        )
        self.kept = x, weight
        inputs = [x, weight] if bias is None else [x, weight, bias]
        return build.call("crnn_call_conv", inputs, [shape], self.fields)[0]

    def grad(self, dy):
        x, weight = self.kept
        (dx,) = build.call("crnn_call_conv_input_grad", [dy, weight], [x.shape], self.fields)
        shapes = [weight.shape, (weight.shape[0],)]
        dweight, dbias = build.call("crnn_call_conv_weight_grad", [x, dy], shapes, self.fields)
        return dx, dweight, dbias if self.fields.has_bias else None, None, None
