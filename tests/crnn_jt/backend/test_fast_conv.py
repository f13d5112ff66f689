"""The convolution that trains must give the definition's values and slopes; else models learn something else."""

from __future__ import annotations

import os

import numpy as np
import pytest

if os.environ.get("CRNN_BACKEND", "jittor") != "jittor":
    pytest.skip("Jittor's kernels", allow_module_level=True)

from crnn_jt.backend.fast.conv import conv3x3, covers, jt

SHAPES = [(2, 16, 33, 5, 6), (3, 24, 17, 8, 4), (1, 16, 16, 1, 1)]  # N, in, out, H, W


def definition(x, weight, bias):
    """(N, out, H, W) in float64."""
    x = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (2, 3))
    return np.einsum("ncijuv,ocuv->noij", windows, weight.astype(np.float64)) + bias[:, None, None]


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_values_and_gradients_are_the_definitions(shape, with_bias):
    batch, channels, out, height, width = shape
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, channels, height, width)).astype(np.float32)
    weight = (rng.standard_normal((out, channels, 3, 3)) / 12).astype(np.float32)
    bias = rng.standard_normal(out).astype(np.float32) * with_bias
    towards = rng.standard_normal((batch, out, height, width)).astype(np.float32)

    given = [jt.array(x), jt.array(weight)] + ([jt.array(bias)] if with_bias else [])
    y = conv3x3(*given)
    gradients = [g.numpy() for g in jt.grad((y * jt.array(towards)).sum(), given)]
    np.testing.assert_allclose(y.numpy(), definition(x, weight, bias), atol=1e-4)

    turned = weight.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]
    no_bias = np.zeros(channels)
    np.testing.assert_allclose(gradients[0], definition(towards, turned, no_bias), atol=1e-4)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), (2, 3))
    slope = np.einsum("noij,ncijuv->ocuv", towards.astype(np.float64), windows.astype(np.float64))
    np.testing.assert_allclose(gradients[1], slope, atol=1e-4 * max(1.0, np.abs(slope).max()))
    if with_bias:
        np.testing.assert_allclose(gradients[2], towards.sum((0, 2, 3)), atol=1e-4)


def test_only_plain_3x3_convolutions_with_enough_channels_are_taken():
    plain = {"kernel": (3, 3), "stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
    assert covers(16, 16, **plain)
    assert not covers(1, 64, **plain)
    for change in ({"stride": (2, 1)}, {"padding": (0, 0)}, {"kernel": (2, 2)}, {"dilation": (2, 2)}, {"groups": 2}):
        assert not covers(64, 64, **(plain | change))
