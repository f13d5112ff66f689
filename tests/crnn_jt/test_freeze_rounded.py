"""Freezing layers whose products have 8 bits: what is read is what the layers define, rounding and all."""

from __future__ import annotations

import numpy as np
import pytest

from crnn_jt import layers
from crnn_jt.backend import NAME
from crnn_jt.layers import (
    Activation,
    BatchNorm,
    BiLSTM,
    Conv,
    Gate,
    GlobalMean,
    Keep,
    LayerNorm,
    Linear,
    MaxPool,
    Plan,
    Quantised,
    Residual,
    walk,
)
from tests.crnn_jt.layer_examples import IMAGES, SEQUENCES
from tests.crnn_jt.test_freeze_layers import freeze_maps, pictures
from tests.crnn_jt.test_freeze_sequences import freeze_sequence
from tests.oracle.plan import evaluate, random_state

CLOSE = 2e-5  # of the largest output: where nothing is rounded to a neighbouring level

POINT_18 = Conv(18, 18, (1, 1), padding=(0, 0))


def unit(before: int, after: int, kernel=(3, 3), kind: str = "relu", groups: int = 1) -> Plan:
    """Padded to keep its size."""
    padding = (kernel[0] // 2, kernel[1] // 2)
    convolution = Conv(before, after, kernel, padding=padding, bias=False, groups=groups)
    return Quantised((convolution,)), BatchNorm(after), Activation(kind)


MAPS = {
    **{name: plan for name, plan in IMAGES.items() if name.startswith("Quantised")},
    "one after the other": (*unit(4, 18), MaxPool(), *unit(18, 20, kind="hardswish"), *unit(20, 9, (1, 1))),
    "half of a pooling is left": (*unit(4, 18), MaxPool((2, 2), (2, 1), (0, 1)), *unit(18, 5)),
    "read twice": (*unit(4, 6), Keep("fine"), *unit(6, 6), Quantised((Conv(6, 6),)), layers.Add("fine")),
    "depthwise": (*unit(4, 18, (1, 1)), *unit(18, 18, (5, 5), "hardswish", groups=18), *unit(18, 6, (1, 1))),
    "residual": (Residual((*unit(4, 18), Quantised((Conv(18, 4),)))), Activation(), *unit(4, 3)),
}
GATE = (GlobalMean(), Quantised((POINT_18,)), Activation("relu"), Quantised((POINT_18,)), Activation("hardsigmoid"))
MAPS["a gate, read rounded"] = (*unit(4, 18), *unit(18, 18, groups=18), Gate(GATE), *unit(18, 6, (1, 1)))
STEPS = {
    **{name: plan for name, plan in SEQUENCES.items() if name.startswith("Quantised")},
    "on maps": (Quantised((Linear(8, 21),)), Activation("gelu"), Quantised((Linear(21, 8),)), LayerNorm(8)),
    "linear layers of steps": (BiLSTM(8, 6), Quantised((Linear(12, 9),)), Quantised((BiLSTM(9, 3),))),
}


def check(found: np.ndarray, expected: np.ndarray, plan: Plan, state: dict[str, np.ndarray]) -> None:
    """Where sums are rounded the other way a level moves by one, and what it is multiplied by with it: that is seldom,
    and no output moves by more than a level of the last layer in 8 bits, times all its weights.
    """
    assert found.shape == expected.shape and found.dtype == np.float32
    error = np.abs(found - expected)
    assert np.mean(error > CLOSE * np.abs(expected).max()) < 0.1
    steps = [state[f"{key}.range"][0] / 127 for key, layer in walk(plan) if isinstance(layer, Quantised)]
    assert error.max() <= 4 * max(steps)


@pytest.mark.parametrize("name", MAPS)
def test_maps_give_what_their_layers_define(name):
    plan = MAPS[name]
    state, images = random_state(plan, np.random.default_rng(len(plan))), pictures(5, 6, 8)
    network = freeze_maps(plan, state)
    found = network.run_directly(images)
    check(found, evaluate(plan, state, images), plan, state)
    np.testing.assert_array_equal(network.run_directly(images[3:4])[0], found[3])


@pytest.mark.parametrize("name", STEPS)
def test_sequences_give_what_their_layers_define(name):
    plan = STEPS[name]
    state = random_state(plan, np.random.default_rng(len(plan)))
    images = np.random.default_rng(7).standard_normal((5, 8, 1, 7)).astype(np.float32)
    network = freeze_sequence(plan, state)
    found = network.run_directly(images)
    check(found, evaluate(plan, state, images[:, :, 0].transpose(2, 0, 1)), plan, state)
    np.testing.assert_array_equal(network.run_directly(images[3:4])[:, 0], found[:, 3])


@pytest.mark.skipif(NAME != "jittor", reason="Jittor's kernels")
def test_a_file_in_8_bits_is_read_on_the_kernels(tmp_path):
    """It used to be read on the framework's operators, which take several times as long."""
    from crnn_jt.backend import no_grad, ops, state
    from crnn_jt.compression.eight_bits import open_to_rounding, store
    from crnn_jt.freeze import try_freeze
    from crnn_jt.models import build, restore
    from crnn_jt.weights import Weights, load_weights, save_weights
    from tests.crnn_jt import tiny

    model = tiny.lively(build(tiny.model(), 0))
    opened = open_to_rounding(Weights(state(model), tiny.model()), recurrent=True)
    ranges = {key: np.float32([2]) for key in opened.arrays if key.endswith(".range")}
    opened.arrays.update(ranges)
    save_weights(tmp_path / "int8", store(opened))
    weights = load_weights(tmp_path / "int8")
    rounded, image = restore(weights, "int8"), tiny.model().image
    network = try_freeze(rounded, weights.arrays)
    x = np.random.default_rng(3).uniform(-1, 1, (4, 1, image.height, image.width)).astype(np.float32)
    with no_grad():
        expected = ops.numpy(rounded(ops.array(x), np.full(4, image.width))[0])
    error = np.abs(network.run(x) - expected)
    assert np.median(error) <= CLOSE * np.abs(expected).max() and error.max() <= 0.1 * np.abs(expected).max()
