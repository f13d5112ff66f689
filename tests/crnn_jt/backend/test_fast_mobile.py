"""Units of mobile networks must train as defined, whatever the threads and the batch."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

if os.environ.get("CRNN_BACKEND", "jittor") != "jittor":
    pytest.skip("Jittor's kernels", allow_module_level=True)

from crnn_jt.backend.fast.conv import jt
from crnn_jt.backend.fast.mobile import Before, Gate, apply_unit, depthwise2d
from crnn_jt.backend.fast.nhwc import to_nhwc
from tests.crnn_jt.backend.test_fast_conv import input_slope, windows

# images (N, C, H, W), kernel, stride, padding
DEPTHWISE = {
    "3x3": ((2, 18, 5, 41), (3, 3), (1, 1), (1, 1)),
    "5x5, height halved": ((2, 33, 6, 9), (5, 5), (2, 1), (2, 2)),
    "3x3, both halved": ((3, 20, 7, 8), (3, 3), (2, 2), (1, 1)),
    "5x5, one pixel": ((1, 16, 1, 1), (5, 5), (1, 1), (2, 2)),
    "7 wide, much padding": ((2, 3, 4, 9), (2, 7), (1, 2), (1, 6)),
    "stride left over": ((1, 17, 6, 7), (1, 2), (2, 3), (0, 0)),
}


def convolution(weight, bias=None, stride=(1, 1), padding=(0, 0), groups=1):
    out, channels, *kernel = weight.shape
    how = {"kernel_size": tuple(kernel), "stride": stride, "padding": padding, "groups": groups}
    return SimpleNamespace(weight=weight, bias=bias, in_channels=channels * groups, out_channels=out, **how)


@pytest.mark.parametrize("case", DEPTHWISE)
def test_depthwise_values_and_gradients_are_the_definitions(case):
    shape, kernel, stride, padding = DEPTHWISE[case]
    rng = np.random.default_rng(0)
    x, weight, bias = (rng.standard_normal(s).astype(np.float32) for s in (shape, (shape[1], 1, *kernel), shape[1:2]))
    seen = windows(x, kernel, stride, padding)
    expected = np.einsum("ncijuv,cuv->ncij", seen, weight[:, 0].astype(np.float64)) + bias[:, None, None]
    towards = rng.standard_normal(expected.shape).astype(np.float32)

    given = [jt.array(a) for a in (x, weight, bias)]
    y = depthwise2d(given[0], convolution(*given[1:], stride, padding, shape[1]))
    gradients = [g.numpy() for g in jt.grad((y * jt.array(towards)).sum(), given)]

    dense = np.zeros((shape[1], shape[1], *kernel))
    dense[np.arange(shape[1]), np.arange(shape[1])] = weight[:, 0]
    slope = np.einsum("ncij,ncijuv->cuv", towards.astype(np.float64), seen)[:, None]
    np.testing.assert_allclose(y.numpy(), expected, atol=3e-5)
    np.testing.assert_allclose(gradients[0], input_slope(towards, dense, shape, stride, padding), atol=3e-5)
    np.testing.assert_allclose(gradients[1], slope, atol=3e-5 * np.abs(slope).max())
    np.testing.assert_allclose(gradients[2], towards.sum((0, 2, 3)), atol=3e-5)


def unit_arrays(shape, out: int, depthwise: bool, inner: int) -> list[np.ndarray]:
    """z, kernels, norm's weight and bias, the gate's arrays."""
    rng, channels = np.random.default_rng(0), shape[1]
    kernels = (channels, 1, 5, 5) if depthwise else (out, channels, 1, 1)
    gate = ((inner, channels, 1, 1), (inner,), (channels, inner, 1, 1), (channels,))
    shapes = (shape, kernels, (channels,), (channels,), *gate * bool(inner))
    return [rng.standard_normal(s).astype(np.float32) for s in shapes]


def run_unit(arrays: list[np.ndarray], depthwise: bool, widths=None) -> list[np.ndarray]:
    """y, its statistics, the gradients; the statistics of z are taken as 0.1 and 1.5, so that no sample sees others."""
    z, weight, *others = given = [jt.array(a) for a in arrays]
    channels = arrays[0].shape[1]
    norm = SimpleNamespace(weight=others[0], bias=others[1], eps=1e-3)
    statistics = tuple(jt.array(np.full(channels, value, np.float32)) for value in (0.1, 1.5))
    gate = None
    if len(others) > 2:
        gate = Gate(convolution(*others[2:4]), "relu", convolution(*others[4:6]), "hardsigmoid")
    conv = convolution(weight, padding=(2, 2), groups=channels) if depthwise else convolution(weight)
    y, found, _ = apply_unit(to_nhwc(z), conv, Before(norm, statistics, "hardswish", gate), widths, True)
    return [v.numpy() for v in (y, *found, *jt.grad((y * y).sum(), given))]


@contextmanager
def threads(count: int) -> Iterator[None]:
    openmp = ctypes.CDLL("libgomp.so.1")
    before = openmp.omp_get_max_threads()
    openmp.omp_set_num_threads(count)
    yield
    openmp.omp_set_num_threads(before)


UNITS = {
    "1x1 in bands": ((5, 36, 26, 70), 17, False, 0),
    "1x1 after a gate": ((5, 33, 4, 7), 40, False, 8),
    "depthwise": ((5, 33, 4, 7), 33, True, 0),
}


@pytest.mark.parametrize("unit", UNITS)
def test_the_same_bits_whatever_the_threads(unit):
    """A run must not depend on how many cores the machine has."""
    shape, out, depthwise, inner = UNITS[unit]
    arrays, found = unit_arrays(shape, out, depthwise, inner), []
    for count in (1, 3):
        with threads(count):
            found.append(run_unit(arrays, depthwise, None if inner else np.array([7, 5, 2, 7, 3])))
    for one, three in zip(*found):
        np.testing.assert_array_equal(one, three)


@pytest.mark.parametrize("unit", UNITS)
def test_a_sample_is_the_same_in_any_batch(unit):
    """Values bit for bit: how images are taken together must not show."""
    shape, out, depthwise, inner = UNITS[unit]
    arrays = unit_arrays(shape, out, depthwise, inner)
    together, alone = run_unit(arrays, depthwise), run_unit([arrays[0][3:4], *arrays[1:]], depthwise)
    np.testing.assert_array_equal(together[0][3:4], alone[0])
