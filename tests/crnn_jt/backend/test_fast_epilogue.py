"""What follows a convolution in training: the definition's values and slopes, or models learn something else."""

from __future__ import annotations

import math
import os
from types import SimpleNamespace

import numpy as np
import pytest

if os.environ.get("CRNN_BACKEND", "jittor") != "jittor":
    pytest.skip("Jittor's kernels", allow_module_level=True)

from crnn_jt import backend
from crnn_jt.backend import ops
from crnn_jt.backend.fast.epilogue import apply_epilogue, jt, measure
from crnn_jt.backend.fast.nhwc import pad_channels, to_nchw, to_nhwc
from crnn_jt.blocks import aster_unit, conv_unit, inverted_residual, residual_unit
from crnn_jt.extractors.vgg import WIDER_POOL
from crnn_jt.layers import NO_POOL, Activation, BatchNorm, MaxPool
from crnn_jt.stack import Stack
from tests.oracle.plan import random_state
from tests.oracle.slopes import slope

EPS = 1e-3
POOLS = (NO_POOL, MaxPool(), MaxPool((3, 2), (3, 2)), WIDER_POOL, MaxPool((3, 3), (2, 2), (1, 1)))


ACTIVATIONS = {
    None: lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "relu6": lambda z: np.clip(z, 0, 6),
    "hardswish": lambda z: z * np.clip(z + 3, 0, 6) / 6,
    "hardsigmoid": lambda z: np.clip(z + 3, 0, 6) / 6,
    "gelu": lambda z: z * (1 + np.vectorize(math.erf)(z / math.sqrt(2))) / 2,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
}


def defined(z, weight, bias, normed, pool, inside, kept, act="relu"):
    """max pooling of the activation of the normalised z (N, C, H, W), float64."""
    if normed:
        mean, var = z.mean((0, 2, 3), keepdims=True), z.var((0, 2, 3), keepdims=True)
        z = (z - mean) / np.sqrt(var + EPS) * weight[:, None, None] + bias[:, None, None]
    z = ACTIVATIONS[act](z)
    if inside is not None:
        z = np.where((np.arange(z.shape[3]) < inside[:, None])[:, None, None], z, -np.inf)
    edges = [(0, 0), (0, 0), *((side, side) for side in pool.padding)]
    seen = np.lib.stride_tricks.sliding_window_view(np.pad(z, edges, constant_values=-np.inf), pool.kernel, (2, 3))
    y = seen[:, :, :: pool.stride[0], :: pool.stride[1]].max((4, 5))
    return y if kept is None else np.where((np.arange(y.shape[3]) < kept[:, None])[:, None, None], y, 0)


@pytest.mark.parametrize("widths", [False, True], ids=["whole", "widths"])
@pytest.mark.parametrize("normed", [True, False], ids=["norm", "no norm"])
@pytest.mark.parametrize("pool", POOLS)
def test_values_and_slopes_are_the_definitions(pool, normed, widths):
    rng = np.random.default_rng(0)
    given = [rng.standard_normal((3, 20, 6, 7)) + 0.3, rng.standard_normal(20), rng.standard_normal(20)]
    own = np.array([7, 5, 2])
    inside = own if widths and pool.padding[1] else None
    kept = (own + 2 * pool.padding[1] - pool.kernel[1]) // pool.stride[1] + 1 if widths else None
    how = (normed, pool, inside, kept)
    x, weight, bias = variables = [jt.array(a.astype(np.float32)) for a in given]
    norm = SimpleNamespace(weight=weight, bias=bias, eps=EPS) if normed else None
    z = to_nhwc(x)
    found, (mean, var) = apply_epilogue(z, 20, norm, pool, inside, kept), measure(z, 20)
    y = to_nchw(found, 20)
    expected = defined(*given, *how)
    np.testing.assert_allclose(y.numpy(), expected, atol=1e-5)
    np.testing.assert_array_equal(found.numpy()[..., 20:], 0)
    if normed:
        np.testing.assert_allclose(mean.numpy(), given[0].mean((0, 2, 3)), atol=1e-5)
        np.testing.assert_allclose(var.numpy(), given[0].var((0, 2, 3)), atol=1e-5)
    towards = rng.standard_normal(expected.shape)
    gradients = jt.grad((y * jt.array(towards.astype(np.float32))).sum(), variables[: 3 if normed else 1])
    for position, gradient in enumerate(gradients):
        along = rng.standard_normal(given[position].shape)
        steepness = slope(lambda *moved: (defined(*moved, *how) * towards).sum(), given, position, along, 1e-6)
        assert (gradient.numpy() * along).sum() == pytest.approx(steepness, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("pool", [NO_POOL, MaxPool((3, 3), (2, 2), (1, 1))], ids=["sum", "pool"])
@pytest.mark.parametrize("act", [act for act in ACTIVATIONS if act != "relu"])
def test_every_activation_and_the_sum_have_the_definitions_values_and_slopes(act, pool):
    rng = np.random.default_rng(0)
    given = [rng.standard_normal((3, 20, 6, 7)) + 0.3, 3 * rng.standard_normal(20), rng.standard_normal(20)]
    addend = [rng.standard_normal(given[0].shape)] if pool == NO_POOL else []
    variables = [jt.array(a.astype(np.float32)) for a in given + addend]
    norm = SimpleNamespace(weight=variables[1], bias=variables[2], eps=EPS)
    others = to_nhwc(variables[3]) if addend else None
    y = to_nchw(apply_epilogue(to_nhwc(variables[0]), 20, norm, pool, act=act, addend=others), 20)

    def expected(*moved):
        return defined(*moved[:3], True, pool, None, None, act) + (moved[3] if addend else 0)

    np.testing.assert_allclose(y.numpy(), expected(*given, *addend), atol=1e-5)
    towards = rng.standard_normal(y.shape)
    gradients = jt.grad((y * jt.array(towards.astype(np.float32))).sum(), variables)
    for position, gradient in enumerate(gradients):
        along = rng.standard_normal(variables[position].shape)
        steepness = slope(lambda *moved: (expected(*moved) * towards).sum(), given + addend, position, along, 1e-6)
        assert (gradient.numpy() * along).sum() == pytest.approx(steepness, rel=1e-3, abs=1e-2)


def test_statistics_far_from_zero_keep_their_digits():
    """A channel may be a small variation about a large value; its variance must not drown in rounding."""
    x = (np.random.default_rng(0).standard_normal((4, 3, 8, 30)) * 0.01 + 50).astype(np.float32)
    pixels = np.zeros((4, 8, 30, pad_channels(3)), np.float32)
    pixels[..., :3] = x.transpose(0, 2, 3, 1)
    mean, var = measure(jt.array(pixels), 3)
    np.testing.assert_allclose(mean.numpy(), x.mean((0, 2, 3), np.float64), rtol=1e-6)
    np.testing.assert_allclose(var.numpy(), x.var((0, 2, 3), np.float64), rtol=1e-3)


PLANS = {
    "convolutions": (
        *conv_unit(1, 5, (5, 5), (2, 2), (2, 2)),
        *conv_unit(5, 18, norm=False),
        WIDER_POOL,
        *conv_unit(18, 16),
        MaxPool((2, 1), (2, 1)),
        *conv_unit(16, 20, (2, 1), padding=(0, 0)),
        *conv_unit(20, 6, (1, 2), padding=(0, 0)),
    ),
    "mobile": (
        *conv_unit(1, 8, stride=(2, 2), activation="hardswish"),
        *inverted_residual(8, 12, 20, (5, 5), (2, 1), "hardswish", gate=True),
        *inverted_residual(12, 12, 36, activation="relu6"),
        *inverted_residual(12, 18, 12, stride=(2, 2), activation="relu", gate=True),
        *conv_unit(18, 20, (1, 1), padding=(0, 0), activation="hardswish"),
        MaxPool(),
    ),
    "residual": (
        *conv_unit(1, 16),
        MaxPool(),
        residual_unit(16, 20),
        residual_unit(20, 20),
        *aster_unit(20, 17, (2, 1)),
        BatchNorm(17),
        Activation("gelu"),
    ),
}


@pytest.mark.parametrize("sizes", [None, np.array([21, 14, 18])], ids=["whole", "widths"])
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_a_stack_at_once_is_the_stack_layer_by_layer(plan, sizes, monkeypatch):
    """Values, statistics and every gradient; the layers one by one are checked against the definitions elsewhere."""
    rng = np.random.default_rng(0)
    weights, images = random_state(plan, rng), rng.standard_normal((3, 1, 16, 21)).astype(np.float32)
    found = []
    for at_once in (True, False):
        stack = Stack(plan)
        backend.load_state(stack, weights)
        stack.train()
        assert backend.run_stack(stack, ops.array(images)) is not None
        if not at_once:
            monkeypatch.setattr("crnn_jt.stack.run_stack", lambda *_: None)
        given = ops.array(images)
        y = stack(given, sizes)
        parameters = backend.parameters(stack)
        towards = np.random.default_rng(1).standard_normal(tuple(y.shape)).astype(np.float32)
        gradients = backend.gradients((y * ops.array(towards)).sum(), [given, *parameters.values()])
        arrays = {"y": ops.numpy(y), **dict(zip(["images", *parameters], map(ops.numpy, gradients)))}
        found.append(arrays | {f"after {name}": value for name, value in backend.state(stack).items()})
    for name, expected in found[1].items():
        scale = max(0.5, float(np.abs(expected).max()))  # some slopes are zero but for rounding
        np.testing.assert_allclose(found[0][name] / scale, expected / scale, atol=1e-4, err_msg=name)


def test_maps_on_the_way_are_those_of_the_stack_layer_by_layer(monkeypatch):
    """A detector takes several; a value that is taken has the slopes of all who read it."""
    plan = PLANS["mobile"][:-1]
    taps = (3, 8, 12)  # a convolution before its norm, what a gate multiplies, a sum
    rng = np.random.default_rng(0)
    weights, images = random_state(plan, rng), ops.array(rng.standard_normal((3, 1, 16, 21)).astype(np.float32))
    found = []
    for at_once in (True, False):
        stack = Stack(plan)
        backend.load_state(stack, weights)
        stack.train()
        if not at_once:
            monkeypatch.setattr("crnn_jt.stack.run_stack", lambda *_: None)
        maps = [one for one, _ in stack.maps(images, None, taps)]
        loss = sum((one * one).sum() for one in maps)
        parameters = backend.parameters(stack)
        slopes = backend.gradients(loss, list(parameters.values()))
        found.append(dict(zip([*taps, *parameters], map(ops.numpy, [*maps, *slopes]))))
    for name, expected in found[1].items():
        scale = max(0.5, float(np.abs(expected).max()))
        np.testing.assert_allclose(found[0][name] / scale, expected / scale, atol=1e-4, err_msg=str(name))


def test_the_same_bits_whatever_the_threads():
    """A run must not depend on how many cores the machine has."""
    import ctypes

    rng = np.random.default_rng(0)
    x = [rng.standard_normal(shape).astype(np.float32) for shape in ((5, 33, 6, 9), (33,), (33,))]
    openmp = ctypes.CDLL("libgomp.so.1")
    before, found = openmp.omp_get_max_threads(), []
    for threads in (1, 3):
        openmp.omp_set_num_threads(threads)
        given = [jt.array(a) for a in x]
        z = to_nhwc(given[0])
        y = apply_epilogue(z, 33, SimpleNamespace(weight=given[1], bias=given[2], eps=EPS), MaxPool())
        slopes = jt.grad((y * y).sum(), given)
        found.append([v.numpy() for v in (y, *measure(z, 33), *slopes)])
    openmp.omp_set_num_threads(before)
    for one, three in zip(*found):
        np.testing.assert_array_equal(one, three)
