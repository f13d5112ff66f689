"""Normalising and pooling while training: the definition's values and slopes, or models learn something else."""

from __future__ import annotations

import os

import numpy as np
import pytest

if os.environ.get("CRNN_BACKEND", "jittor") != "jittor":
    pytest.skip("Jittor's kernels", allow_module_level=True)

from crnn_jt.backend.fast.nchw import batch_norm, jt, max_pool, relu
from tests.oracle.slopes import slope


def normalised(x, weight, bias, eps):
    mean, var = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
    return (x - mean) / np.sqrt(var + eps) * weight[:, None, None] + bias[:, None, None]


@pytest.mark.parametrize("shape", [(3, 5, 4, 7), (1, 2, 1, 3)])
def test_batch_norm_and_its_slopes(shape):
    rng, eps = np.random.default_rng(0), 1e-3
    given = [rng.standard_normal(shape) + 3, rng.standard_normal(shape[1]), rng.standard_normal(shape[1])]
    towards = rng.standard_normal(shape)
    variables = [jt.array(a.astype(np.float32)) for a in given]
    y, mean, var = batch_norm(*variables, eps)
    np.testing.assert_allclose(y.numpy(), normalised(*given, eps), atol=1e-5)
    np.testing.assert_allclose(mean.numpy(), given[0].mean((0, 2, 3)), atol=1e-5)
    np.testing.assert_allclose(var.numpy(), given[0].var((0, 2, 3)), atol=1e-5)
    gradients = jt.grad((y * jt.array(towards.astype(np.float32))).sum(), variables)
    for position, gradient in enumerate(gradients):
        along = rng.standard_normal(given[position].shape)
        steepness = slope(lambda *moved: (normalised(*moved, eps) * towards).sum(), given, position, along, 1e-5)
        assert (gradient.numpy() * along).sum() == pytest.approx(steepness, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize(
    "window", [((2, 2), (2, 2), (0, 0)), ((2, 2), (2, 1), (0, 1)), ((3, 3), (2, 2), (1, 1)), ((2, 1), (2, 1), (0, 0))]
)
def test_max_pooling_and_its_slopes(window):
    kernel, stride, padding = window
    rng = np.random.default_rng(0)
    x = rng.permutation(2 * 3 * 5 * 6).reshape(2, 3, 5, 6).astype(np.float32) - 90  # no equals, negative ones too
    padded = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2), constant_values=-np.inf)
    seen = np.lib.stride_tricks.sliding_window_view(padded, kernel, (2, 3))[:, :, :: stride[0], :: stride[1]]
    expected = seen.max((4, 5))
    towards = rng.standard_normal(expected.shape).astype(np.float32)
    given = jt.array(x)
    y = max_pool(given, *window)
    gradient = jt.grad((y * jt.array(towards)).sum(), given).numpy()
    np.testing.assert_array_equal(y.numpy(), expected)
    slope = np.zeros_like(x)
    for place in np.ndindex(expected.shape):
        slope[place[:2]][x[place[:2]] == expected[place]] += towards[place]
    np.testing.assert_allclose(gradient, slope, atol=1e-6)


def test_relu_and_its_slopes():
    x = np.array([[-1.5, 0.0, 2.0], [3.0, -0.0, 1e-30]], np.float32)
    given = jt.array(x)
    y = relu(given)
    gradient = jt.grad((y * jt.array(x + 5)).sum(), given).numpy()
    np.testing.assert_array_equal(y.numpy(), np.maximum(x, 0))
    np.testing.assert_array_equal(gradient, np.where(x > 0, x + 5, 0).astype(np.float32))


def test_images_smaller_than_the_window_are_refused():
    with pytest.raises(ValueError, match="too small"):
        max_pool(jt.zeros((1, 1, 1, 4)), (2, 2), (2, 2), (0, 0))
