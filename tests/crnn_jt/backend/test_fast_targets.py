"""Every processor gets right answers: kernels compiled for each instruction set, and run where this one can."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from crnn_jt.backend.fast import build
from crnn_jt.layers import MaxPool
from data_tools.errors import UserError
from tests.crnn_jt.test_freeze import NETWORKS, assert_close, pictures
from tests.crnn_jt.test_freeze import build as network
from tests.crnn_jt.test_freeze_layers import ODD, check
from tests.crnn_jt.test_freeze_sequences import PLANS
from tests.crnn_jt.test_freeze_sequences import check as check_sequence

TARGETS = {
    "SSE2": (("-march=x86-64",), {"sse2"}, 4),
    "AVX2": (("-march=x86-64", "-mavx2", "-mfma"), {"avx2", "fma"}, 8),
    "AVX-512": (("-march=x86-64", "-mavx512bw", "-mfma"), {"avx512bw", "fma"}, 16),
}


def abilities() -> set[str]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return set(next((line for line in lines if line.startswith("flags")), "").split())


@pytest.mark.parametrize("target", TARGETS)
def test_kernels_are_right_on_every_instruction_set(target):
    flags, needed, lanes = TARGETS[target]
    path = build.compile_kernels(flags)
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
    for plan, size in ODD.values():
        check(plan, size, library)
    for plan, counts in PLANS.values():
        check_sequence(plan, counts, library)
    assert build.compile_kernels(flags) == path


def trained() -> list[np.ndarray]:
    """Result, statistics and gradients of two convolutions with what follows the first, and of units of mobile
    networks.
    """
    from crnn_jt.backend.fast.conv import convolve, jt
    from crnn_jt.backend.fast.epilogue import apply_epilogue, measure
    from crnn_jt.backend.fast.nhwc import to_nchw, to_nhwc
    from tests.crnn_jt.backend.test_fast_mobile import UNITS, run_unit, unit_arrays

    rng = np.random.default_rng(0)
    shapes = ((3, 18, 6, 7), (20, 18, 3, 3), (17, 20, 2, 2), (20,), (20,))
    x, first, second, weight, bias = given = [jt.array(rng.standard_normal(s).astype(np.float32)) for s in shapes]
    norm = SimpleNamespace(weight=weight, bias=bias, eps=1e-3)
    z = convolve(to_nhwc(x), first, None, (1, 1), (1, 1))
    y, statistics = apply_epilogue(z, 20, norm, MaxPool()), measure(z, 20)
    y = to_nchw(convolve(y, second), 17)
    found = [v.numpy() for v in (y, *statistics, *jt.grad((y * y).sum(), given))]
    for shape, out, depthwise, inner in UNITS.values():
        found += run_unit(unit_arrays(shape, out, depthwise, inner), depthwise)[1:]  # y itself is padded
    return found


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


def stages(library) -> list[np.ndarray]:
    """What stages that are no plans give: a rectifier, a generator by place with its corrector, a decoder."""
    from crnn_jt.backend import load_state, state
    from crnn_jt.freeze import begin_flow
    from crnn_jt.layers import fresh_state
    from crnn_jt.registry import CORRECTORS, GENERATORS, RECTIFIERS
    from crnn_jt.sequences import GRID
    from tests.crnn_jt.tiny import GENERATORS as OPTIONS
    from tests.crnn_jt.tiny import lively

    rng, given = np.random.default_rng(0), {"in_features": 18, "classes": 5, "max_length": 6}
    parallel = GENERATORS.build("parallel", {"channels": 6}, rows=1, **given)
    cloze = CORRECTORS.build("bcn", CORRECTORS.get("bcn").tiny, generator=parallel, classes=5, max_length=6)
    decoder = GENERATORS.build("attention", OPTIONS["attention, gru"], **given)
    chains = (
        {"rectifier": RECTIFIERS.build("tps", RECTIFIERS.get("tps").tiny, in_channels=18)},
        {"generator": parallel, "corrector": cloze},
        {"generator": decoder},
    )
    found = []
    for chain in chains:
        arrays = {}
        for name, stage in chain.items():
            load_state(stage, fresh_state(stage.named_layers(), np.random.default_rng(0)))  # the same in every process
            arrays |= {f"{name}.{key}": value for key, value in state(lively(stage)).items()}
        flow = begin_flow(18, arrays, library)
        for name, stage in chain.items():
            if name == "generator":
                flow.become_sequence(GRID)
            stage.emit(flow)
        network = flow.finish()
        images = rng.standard_normal((3, 18, 1, 21)).astype(np.float32)
        found.append(network.run_directly(images))
        np.testing.assert_array_equal(network.run_directly(images[1:2])[:, 0], found[-1][:, 1])
    return found


@pytest.mark.skipif(os.environ.get("CRNN_BACKEND", "jittor") != "jittor", reason="Jittor's kernels")
@pytest.mark.parametrize("target", TARGETS)
def test_stages_are_the_same_on_every_instruction_set(target):
    """This machine's own are checked against the framework elsewhere."""
    flags, needed, _ = TARGETS[target]
    if not needed <= abilities():
        pytest.skip(f"this processor has no {target}")
    for found, expected in zip(stages(build.load(flags)), stages(None)):
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


def test_a_compiler_that_cannot_build_the_kernels_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(UserError, match=r"^kernels\.cc: .*g\+\+ cannot compile it: .*no-such-machine"):
        build.compile_kernels(("-march=no-such-machine",))


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
