"""Products in 8 bits: the numbers of their definition in numpy, to the bit, on every instruction set."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from crnn_jt.backend.fast import build
from crnn_jt.backend.fast.int8_layers import FLOATS, Levels
from crnn_jt.backend.fast.network import Network
from tests.crnn_jt.backend.test_fast_targets import TARGETS, abilities

INSTRUCTIONS = {
    **{name: (flags, needed) for name, (flags, needed, _) in TARGETS.items()},
    "AVX-VNNI": (("-march=x86-64", "-mavx2", "-mfma", "-mavxvnni"), {"avx_vnni", "fma"}),
    "AVX-512 VNNI": (("-march=x86-64", "-mavx512bw", "-mavx512vnni", "-mfma"), {"avx512_vnni", "avx512bw", "fma"}),
}
COMES, GOES = Levels(0.03125 * 1.1, 120), Levels(0.07, 127)
THREE, FIVE, POINT, TALL = (3, 3, 1, 1, 1, 1), (5, 5, 2, 2, 2, 2), (1, 1, 1, 1, 0, 0), (4, 1, 1, 1, 0, 0)
# kernel, stride and padding; channels in and out; what is fused
CASES = {
    "3x3": (THREE, 18, 20, {}),
    "3x3, pooled": (THREE, 18, 70, {"activation": "relu", "pool": (2, 2), "goes": GOES}),
    "3x3, pooled down, floats": (THREE, 20, 40, {"activation": "relu", "pool": (2, 1)}),
    "5x5 strided, grey": (FIVE, 1, 24, {"activation": "relu6", "goes": GOES}),
    "single pixels of many channels": (POINT, 130, 90, {"activation": "hardswish", "goes": GOES}),
    "single pixels of few": (POINT, 3, 5, {}),
    "tall": (TALL, 36, 33, {"activation": "relu"}),
    "a sum": (THREE, 18, 18, {"addend": 0, "activation": "hardswish"}),
    "a sum, rounded": (POINT, 18, 18, {"addend": 0, "activation": "relu", "goes": GOES}),
}


@pytest.fixture(params=INSTRUCTIONS, scope="module")
def library(request):
    """Compiled for an instruction set, which may be another machine's."""
    flags, needed = INSTRUCTIONS[request.param]
    build.compile_kernels(flags, "int8.cc")
    if not needed <= abilities():
        pytest.skip(f"compiled, but this processor has no {request.param}")
    return build.load(flags)


def layer_of(window, in_, out, seed=0, largest=False):
    """Whole weights (out, in, kh, kw), scale and bias (out,), float32; or all weights as large as they get."""
    rng = np.random.default_rng(seed)
    shape = (out, in_, *window[:2])
    weight = np.full(shape, 127.0) if largest else rng.integers(-127, 128, shape)
    scale = rng.uniform(-1, 1, out) / (400 * np.sqrt(weight[0].size))
    return weight.astype(np.float32), scale.astype(np.float32), rng.standard_normal(out).astype(np.float32)


def levels(x, how):
    """Whole numbers of steps, float32."""
    return np.clip(np.rint(x * (np.float32(1) / np.float32(how.step))), -how.bound, how.bound)


def defined(x, window, weight, scale, bias, goes=FLOATS, activation=None, pool=(1, 1), addend=-1):
    """(N, O, H, W): integers summed exactly, then float32, one operation after the other."""
    kh, kw, sh, sw, ph, pw = window
    framed = np.pad(levels(x, COMES).astype(np.int64), ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    seen = np.lib.stride_tricks.sliding_window_view(framed, (kh, kw), (2, 3))[:, :, ::sh, ::sw]
    how = "ncijuv,ocuv->noij" if weight.shape[1] == x.shape[1] else "ncijuv,cxuv->ncij"  # or depthwise
    sums = np.einsum(how, seen, weight.astype(np.int64)).astype(np.float32)
    in_levels = goes != FLOATS and addend < 0 and activation != "hardswish"
    size, six = np.float32(goes.step) if in_levels else np.float32(1), np.float32(6)
    y = sums * (scale / size)[:, None, None] + (bias / size)[:, None, None]
    if addend >= 0:
        y = y + x
    if activation == "hardswish":
        y = y * np.clip(y + np.float32(3), 0, six) * (np.float32(1) / np.float32(goes.step or 1) / six)
    elif activation:
        y = np.clip(y, 0, six / size if activation == "relu6" else np.inf)
    if goes != FLOATS:
        y = y if in_levels or activation == "hardswish" else y * (np.float32(1) / np.float32(goes.step))
        y = levels(y, Levels(1, goes.bound))
    n, o, h, w = y.shape
    return y.reshape(n, o, h // pool[0], pool[0], w // pool[1], pool[1]).max((3, 5))


def pictures(count, channels, size=(8, 14)):
    """With values beyond the bound and, between two levels, halves."""
    x = np.random.default_rng(1).standard_normal((count, channels, *size)).astype(np.float32) * 2
    return np.where(np.abs(x) < 0.4, np.float32(COMES.step / 2) * np.rint(x * 20), x).astype(np.float32)


def give_back(network, source, channels, how):
    """Levels as floats, in steps."""
    same = np.eye(channels, dtype=np.float32)[:, :, None, None]
    network.int8_conv(
        source, source % 2 + 1, POINT, same, np.ones(channels, np.float32), np.zeros(channels, np.float32), how
    )


def depthwise(window, channels, activation=None, library=None):
    """A network of a depthwise convolution between levels, pooled, and its definition."""
    weight, scale, bias = layer_of(window, 1, channels)
    network, same = Network(channels, library), np.eye(channels, dtype=np.float32)[:, :, None, None]
    ones, zeros = np.ones(channels, np.float32), np.zeros(channels, np.float32)
    network.int8_conv(0, 1, POINT, same, ones * np.float32(COMES.step), zeros, COMES, COMES)
    network.int8_depthwise(1, 2, window, weight[:, 0], scale, bias, COMES, GOES, activation)
    network.pool(2, 1, (3, 3, 2, 2, 1, 1))
    give_back(network, 1, channels, GOES)
    network.end_maps("maps")

    def definition(x):
        y = np.pad(defined(x, window, weight, scale, bias, GOES, activation), ((0, 0), (0, 0), (1, 1), (1, 1)), "edge")
        return np.lib.stride_tricks.sliding_window_view(y, (3, 3), (2, 3))[:, :, ::2, ::2].max((4, 5))

    return network, definition


def frozen(case, library=None, largest=False):
    """A network of the case's convolution, and of one that gives back the levels where it writes such."""
    window, in_, out, fused = CASES[case]
    network, arrays = Network(in_, library), layer_of(window, in_, out, largest=largest)
    network.int8_conv(0, 1, window, *arrays, COMES, **fused)
    if "goes" in fused:
        give_back(network, 1, out, fused["goes"])
    network.end_maps("maps")
    return network, lambda x: defined(x, window, *arrays, **fused)


@pytest.mark.parametrize("case", CASES)
def test_convolutions_give_their_definition_to_the_bit(case, library):
    """Alone and among others."""
    network, definition = frozen(case, library)
    images = pictures(5, CASES[case][1])
    found = network.run_directly(images)
    np.testing.assert_array_equal(found, definition(images))
    np.testing.assert_array_equal(network.run_directly(images[3:4])[0], found[3])


@pytest.mark.parametrize("window", [THREE, (5, 5, 2, 1, 2, 2)], ids=["3x3", "5x5 strided"])
@pytest.mark.parametrize("activation", ["relu", "hardswish"])
def test_depthwise_convolutions_and_pooling_of_levels_give_their_definition_to_the_bit(window, activation, library):
    network, definition = depthwise(window, 70, activation, library)
    images = pictures(5, 70)
    found = network.run_directly(images)
    np.testing.assert_array_equal(found, definition(images))
    np.testing.assert_array_equal(network.run_directly(images[3:4])[0], found[3])


def test_gates_are_rounded_where_they_multiply(library):
    """One of a pixel for all, and one of as many: what the next layer reads, in one pass."""
    images = pictures(3, 18)
    for place, gate in ((1, network_mean(images, library)), (0, images)):
        network = Network(18, library)
        network.global_mean(0, 1)
        network.int8_gate(0, 2, place, GOES)
        give_back(network, 2, 18, GOES)
        network.end_maps("maps")
        np.testing.assert_array_equal(network.run_directly(images), levels(images * gate, GOES))


def network_mean(images, library):
    """The mean of each channel, as the kernels sum it."""
    network = Network(images.shape[1], library)
    network.global_mean(0, 1)
    network.end_maps("maps")
    return network.run_directly(images)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_products_do_not_saturate(sign, library):
    """Pairs of them pass what 16 bits hold."""
    network, definition = frozen("3x3", library, largest=True)
    images = np.full((1, 18, 8, 14), 100 * sign, np.float32)
    np.testing.assert_array_equal(network.run_directly(images), definition(images))


def test_linear_layers_give_their_definition_to_the_bit(library):
    weight, scale, bias = layer_of(POINT, 50, 97)
    network = Network(50, library)
    network.end_maps("columns")
    network.int8_linear(weight[:, :, 0, 0], scale, bias, COMES)
    images = pictures(3, 50, (1, 70))
    expected = defined(images, POINT, weight, scale, bias)[:, :, 0].transpose(2, 0, 1)  # (T, N, O)
    np.testing.assert_array_equal(network.run_directly(images), expected)


def test_lstms_multiply_what_comes_in_rounded(library):
    """As the float layer does, given what 8 bits hold: the state has 16."""
    rng = np.random.default_rng(0)
    w_ih, w_hh = rng.integers(-127, 128, (2, 44, 18)), rng.integers(-127, 128, (2, 44, 11))
    scale, bias = rng.uniform(0.001, 0.01, (2, 44)), rng.standard_normal((2, 44))
    hh_scale = scale[:, ::-1]
    whole, plain = Network(18, library), Network(18, library)
    whole.int8_bilstm(w_ih, scale, w_hh, hh_scale, bias, COMES)
    plain.bilstm(w_ih * scale[..., None] / COMES.step, w_hh * hh_scale[..., None], bias)
    images = pictures(9, 18, (1, 13))
    rounded = (levels(images, COMES) * np.float32(COMES.step)).astype(np.float32)
    found = whole.run_directly(images)
    np.testing.assert_allclose(found, plain.run_directly(rounded), atol=1e-4)
    np.testing.assert_array_equal(whole.run_directly(images[4:5])[:, 0], found[:, 4])


def test_a_layer_of_floats_refuses_levels():
    network = Network(4)
    network.int8_conv(0, 1, POINT, *layer_of(POINT, 4, 4), COMES, GOES)
    network.upsample(1, 2, (2, 2))
    with pytest.raises(ValueError, match="a layer of floats reads levels"):
        network.run_directly(pictures(1, 4))


def test_sums_that_32_bits_may_not_hold_are_refused():
    network = Network(1)
    network.int8_conv(0, 1, (300, 300, 1, 1, 0, 0), *layer_of((300, 300), 1, 1), COMES)
    with pytest.raises(ValueError, match="a sum of too many products"):
        network.run_directly(np.zeros((1, 1, 300, 300), np.float32))


@pytest.mark.skipif(os.cpu_count() == 1, reason="one processor")
def test_the_number_of_threads_changes_no_bit(tmp_path):
    program = (
        "import sys, numpy as np\n"
        "from tests.crnn_jt.backend.test_fast_int8 import *\n"
        "runs = [frozen(case)[0].run_directly(pictures(5, CASES[case][1])).ravel() for case in CASES]\n"
        "runs += [depthwise(THREE, 70)[0].run_directly(pictures(n, 70)).ravel() for n in (1, 5)]\n"
        "np.save(sys.argv[1], np.concatenate(runs))\n"
    )
    for threads in "12":
        environment = os.environ | {"OMP_NUM_THREADS": threads}
        command = [sys.executable, "-c", program, str(tmp_path / f"{threads}.npy")]
        subprocess.run(command, env=environment, check=True, cwd=Path(__file__).parents[3])
    np.testing.assert_array_equal(np.load(tmp_path / "1.npy"), np.load(tmp_path / "2.npy"))
