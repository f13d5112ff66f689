"""Every processor gets right answers: kernels compiled for each instruction set, and run where this one can."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from crnn_jt.backend.fast import build
from crnn_jt.layers import MaxPool
from tests.crnn_jt.test_freeze import NETWORKS, assert_close, pictures
from tests.crnn_jt.test_freeze import build as network

TARGETS = {
    "SSE2": (("-march=x86-64",), {"sse2"}, 4),
    "AVX2": (("-march=x86-64", "-mavx2", "-mfma"), {"avx2", "fma"}, 8),
    "AVX-512": (("-march=x86-64", "-mavx512f", "-mfma"), {"avx512f", "fma"}, 16),
}


def abilities() -> set[str]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return set(next((line for line in lines if line.startswith("flags")), "").split())


@pytest.mark.parametrize("target", TARGETS)
def test_kernels_are_right_on_every_instruction_set(target):
    flags, needed, lanes = TARGETS[target]
    path = build.compile_library(flags)
    if not needed <= abilities():
        pytest.skip(f"compiled, but this processor has no {target}")
    library = build.load(flags)
    assert library.crnn_lanes() == lanes
    for name in NETWORKS:
        frozen, reference, shape = network(name, library=library)
        images = pictures(5, shape)
        logits = frozen.run_directly(images)
        assert_close(logits, reference(images))
        np.testing.assert_array_equal(logits[:, 3], frozen.run_directly(images[3:4])[:, 0])
    assert build.compile_library(flags) == path


def trained() -> list[np.ndarray]:
    """Result, statistics and gradients of two convolutions with what follows the first."""
    from crnn_jt.backend.fast.conv import convolve, jt
    from crnn_jt.backend.fast.pixels import finish, to_pixels, to_planes

    rng = np.random.default_rng(0)
    shapes = ((3, 18, 6, 7), (20, 18, 3, 3), (17, 20, 2, 2), (20,), (20,))
    x, first, second, weight, bias = given = [jt.array(rng.standard_normal(s).astype(np.float32)) for s in shapes]
    norm = SimpleNamespace(weight=weight, bias=bias, eps=1e-3)
    y, *statistics = finish(convolve(to_pixels(x), first, None, (1, 1), (1, 1)), 20, norm, MaxPool())
    y = to_planes(convolve(y, second), 17)
    return [v.numpy() for v in (y, *statistics, *jt.grad((y * y).sum(), given))]


@pytest.mark.skipif(os.environ.get("CRNN_BACKEND", "jittor") != "jittor", reason="Jittor's kernels")
@pytest.mark.parametrize("target", TARGETS)
def test_training_is_the_same_on_every_instruction_set(target, monkeypatch):
    """This machine's own kernels are checked against the definitions elsewhere."""
    flags, needed, _ = TARGETS[target]
    if not needed <= abilities():
        pytest.skip(f"this processor has no {target}")
    own, library = trained(), build.load(flags)
    monkeypatch.setattr(build, "native", lambda: library)
    for found, expected in zip(trained(), own):
        np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("method", ["direct", "winograd"])
def test_both_convolutions_agree_with_the_definition(method):
    from crnn_jt.backend.fast.network import Network
    from crnn_jt.layers import Conv
    from tests.oracle.plan import evaluate

    rng = np.random.default_rng(0)
    weight, bias = rng.standard_normal((20, 18, 3, 3)) / 13, rng.standard_normal(20)
    network = Network(18)
    network.conv(0, 1, (3, 3, 1, 1, 1, 1), weight, bias, method=method)
    x = rng.standard_normal((2, 18, 7, 10)).astype(np.float32)
    expected = evaluate((Conv(18, 20),), {"0.weight": weight, "0.bias": bias}, x)  # (N, C, H, W)
    steps = network.run_directly(x)  # (W, N, C·H)
    np.testing.assert_allclose(steps.reshape(10, 2, 20, 7).transpose(1, 2, 3, 0), expected, atol=2e-5)


def test_compiling_again_is_never_needed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    calls = []
    run = build.subprocess.run
    monkeypatch.setattr(build.subprocess, "run", lambda command, **how: calls.append(command) or run(command, **how))
    first = build.compile_library(("-march=x86-64", "-O0"))
    again = build.compile_library(("-march=x86-64", "-O0"))
    assert first == again and first.parent == tmp_path / "crnn_jt"
    assert sum("-shared" in command for command in calls) == 1
    assert build.compile_library(("-march=x86-64", "-O1")) != first


def test_a_compiler_that_fails_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(build.UserError, match="cannot compile the kernels"):
        build.compile_library(("-march=no-such-machine",))
    assert not list((tmp_path / "crnn_jt").iterdir())


def test_memory_goes_with_the_network():
    """Freezing again and again, as after each validation of a training run, must not fill the memory."""
    import gc

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    def once():
        frozen, _, shape = network("vgg")
        frozen.run_directly(pictures(4, shape))

    once()
    gc.collect()
    before = resident()
    for _ in range(60):
        once()
    gc.collect()
    assert resident() - before < 8 << 20
