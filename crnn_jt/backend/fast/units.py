"""Chains of convolution units that train in the kernels' own layout (NHWC) from the first layer to the last."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from crnn_jt import runtime
from crnn_jt.backend.fast.conv import convolve
from crnn_jt.backend.fast.epilogue import apply_epilogue
from crnn_jt.backend.fast.nhwc import to_nchw, to_nhwc
from crnn_jt.layers import window_out

jt = runtime.import_jittor()


class Pool(NamedTuple):
    """Max pooling, each (vertical, horizontal)."""

    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)


def run_units(units: list[tuple], x, widths: np.ndarray | None):
    """x (N, C, H, W) -> (N, C', H', W'); see `conv_units` of the seam.

    Every convolution wider than one column finds zeros beyond an image's own width, as if the image stood alone.
    """
    wide = [conv.kernel_size[1] > 1 for conv, _, _ in units]
    if widths is not None and wide[0]:
        inside = np.arange(x.shape[3]) < np.asarray(widths)[:, None]
        x = x * jt.array(inside[:, None, None, :].astype(np.float32))
    x = to_nhwc(x)
    for unit, clear in zip(units, [*wide[1:], False]):
        x, widths = _run_unit(unit, clear, x, widths)
    return to_nchw(x, units[-1][0].out_channels)


def _run_unit(unit: tuple, clear: bool, x, widths: np.ndarray | None):
    """One unit, channels last; with `clear` its result is zero beyond the images' widths."""
    conv, norm, pool = unit[0], unit[1], Pool(*unit[2] or ())
    inside = _count_windows(widths, conv.kernel_size, conv.stride, conv.padding)
    widths = _count_windows(inside, *pool)
    x = convolve(x, conv.weight, conv.bias, conv.stride, conv.padding)
    beyond = bool(pool.padding[1])  # then windows reach beyond an image's width
    kept = widths if beyond or clear else None
    x, mean, var = apply_epilogue(x, conv.out_channels, norm, pool, inside if beyond else None, kept)
    if norm is not None:
        norm.remember(mean, var)
    return x, widths


def _count_windows(widths: np.ndarray | None, kernel, stride, padding) -> np.ndarray | None:
    return None if widths is None else window_out(widths, kernel[1], stride[1], padding[1])
