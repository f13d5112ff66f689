"""The convolution that trains must give the definition's values and slopes; else models learn something else."""

from __future__ import annotations

import os

import numpy as np
import pytest

if os.environ.get("CRNN_BACKEND", "jittor") != "jittor":
    pytest.skip("Jittor's kernels", allow_module_level=True)

from crnn_jt.backend.fast.conv import conv2d, jt

# images (N, in, H, W), out, kernel, stride, padding
CASES = {
    "Winograd": ((2, 16, 5, 6), 33, (3, 3), (1, 1), (1, 1)),
    "Winograd, whole tiles": ((3, 24, 8, 4), 17, (3, 3), (1, 1), (1, 1)),
    "Winograd, one pixel": ((1, 16, 1, 1), 16, (3, 3), (1, 1), (1, 1)),
    "grey 3x3": ((5, 1, 6, 7), 20, (3, 3), (1, 1), (1, 1)),
    "colour 5x5, stride 2": ((2, 3, 9, 10), 8, (5, 5), (2, 2), (2, 2)),
    "2x2 without padding": ((2, 20, 2, 6), 40, (2, 2), (1, 1), (0, 0)),
    "tall": ((2, 70, 4, 3), 70, (4, 1), (1, 1), (0, 0)),
    "1x1, stride left over": ((1, 17, 6, 4), 5, (1, 1), (2, 3), (0, 0)),
}


def windows(x, kernel, stride, padding):
    """(N, C, H', W', kh, kw) in float64."""
    x = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    return np.lib.stride_tricks.sliding_window_view(x, kernel, (2, 3))[:, :, :: stride[0], :: stride[1]]


def input_slope(towards, weight, shape, stride, padding):
    """The gradient at the input: every output gives its gradient back to the pixels it was made from."""
    height, width = (shape[axis] + 2 * padding[axis - 2] for axis in (2, 3))
    slope = np.zeros((*shape[:2], height, width))
    for i in range(towards.shape[2]):
        for j in range(towards.shape[3]):
            back = np.einsum("no,ocuv->ncuv", towards[:, :, i, j].astype(np.float64), weight.astype(np.float64))
            top, left = i * stride[0], j * stride[1]
            slope[:, :, top : top + weight.shape[2], left : left + weight.shape[3]] += back
    return slope[:, :, padding[0] : height - padding[0], padding[1] : width - padding[1]]


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_are_the_definitions(case, with_bias):
    shape, out, kernel, stride, padding = CASES[case]
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(np.float32)
    weight = (rng.standard_normal((out, shape[1], *kernel)) / np.sqrt(shape[1] * np.prod(kernel))).astype(np.float32)
    bias = rng.standard_normal(out).astype(np.float32) * with_bias
    seen = windows(x, kernel, stride, padding)
    expected = np.einsum("ncijuv,ocuv->noij", seen, weight.astype(np.float64)) + bias[:, None, None]
    towards = rng.standard_normal(expected.shape).astype(np.float32)

    given = [jt.array(x), jt.array(weight)] + ([jt.array(bias)] if with_bias else [])
    y = conv2d(*given[:2], given[2] if with_bias else None, stride, padding)
    gradients = [g.numpy() for g in jt.grad((y * jt.array(towards)).sum(), given)]

    slope = np.einsum("noij,ncijuv->ocuv", towards.astype(np.float64), seen)
    np.testing.assert_allclose(y.numpy(), expected, atol=3e-5)
    np.testing.assert_allclose(gradients[0], input_slope(towards, weight, shape, stride, padding), atol=3e-5)
    np.testing.assert_allclose(gradients[1], slope, atol=3e-5 * np.abs(slope).max())
    if with_bias:
        np.testing.assert_allclose(gradients[2], towards.sum((0, 2, 3)), atol=3e-5)


def test_images_smaller_than_the_kernel_are_refused():
    with pytest.raises(ValueError, match="too small"):
        conv2d(jt.zeros((1, 2, 2, 2)), jt.zeros((1, 2, 3, 3)))
