"""Channels-last images (N, H, W, stride), the layout of the kernels: the channels of a pixel lie together.

After its channels a pixel is zero up to whole vectors of the machine's; only grey and colour pictures are not padded.
"""

from __future__ import annotations

from crnn_jt import runtime
from crnn_jt.backend.fast import build, fields
from crnn_jt.layers import window_out

jt = runtime.import_jittor()


def pad_channels(channels: int) -> int:
    """Floats of a pixel of `channels`, padding included."""
    lanes = build.native().crnn_lanes()
    return -(-channels // lanes) * lanes


def count_windows(size, kernel, stride, padding, purpose: str) -> list[int]:
    """How many windows fit down and across images of `size`. Raises ValueError, with the `purpose`, where none does."""
    out = [window_out(size[axis], kernel[axis], stride[axis], padding[axis]) for axis in (0, 1)]
    if min(out) < 1:
        raise ValueError(f"images of {size[0]}x{size[1]} are too small {purpose} {kernel[0]}x{kernel[1]}")
    return out


def describe_images(shape, channels: int) -> fields.Images:
    """The fields of channels-last images of `shape` (N, H, W, stride)."""
    batch, height, width, stride = shape
    return fields.Images(batch=batch, height=height, width=width, channels=channels, stride=stride)


def to_nhwc(x, narrow: bool = True):
    """x (N, C, H, W) -> (N, H, W, stride); differentiable. With `narrow`, fewer than 4 channels are not padded."""
    return _ToNhwc.apply(x, narrow)


def to_nchw(x, channels: int):
    """x (N, H, W, stride) -> (N, channels, H, W); differentiable."""
    return _ToNchw.apply(x, channels)


class _ToNhwc(jt.Function):
    def execute(self, x, narrow):
        batch, channels, *size = x.shape
        shape = (batch, *size, channels if narrow and channels < 4 else pad_channels(channels))
        self.shape, self.images = x.shape, describe_images(shape, channels)
        return build.call("crnn_call_to_nhwc", [x], [shape], self.images)[0]

    def grad(self, dy):
        return build.call("crnn_call_to_nchw", [dy], [self.shape], self.images)[0], None


class _ToNchw(jt.Function):
    def execute(self, x, channels):
        batch, *size, _ = x.shape
        self.shape, self.images = x.shape, describe_images(x.shape, channels)
        return build.call("crnn_call_to_nchw", [x], [(batch, channels, *size)], self.images)[0]

    def grad(self, dy):
        return build.call("crnn_call_to_nhwc", [dy], [self.shape], self.images)[0], None
