"""Layers whose products have 8 bits, against their definition in numpy, and gradients against differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crnn_jt import backend, quantised
from crnn_jt.backend import load_state, ops, state
from crnn_jt.layers import BiLSTM, Conv, ConvTranspose, Linear, Quantised
from crnn_jt.rounding import restore_weights, round_weights
from crnn_jt.stack import Stack
from tests.oracle import plan as oracle

ROUNDED = {
    "Conv": (Conv(4, 6, (3, 5), (2, 1), (1, 2)), (3, 4, 6, 8)),
    "Conv, depthwise": (Conv(4, 8, groups=4, bias=False), (3, 4, 6, 8)),
    "ConvTranspose": (ConvTranspose(4, 3), (3, 4, 6, 8)),
    "Linear": (Linear(8, 5), (7, 3, 8)),
    "BiLSTM": (BiLSTM(8, 3), (7, 3, 8)),
}


def stack_of(layer, clip: float = 1.2, reach: float = 1.0) -> tuple[Stack, dict[str, np.ndarray]]:
    """A stack of one rounded layer in eval mode, and its state."""
    stack = Stack((Quantised((layer,)),))
    arrays = oracle.random_state((Quantised((layer,)),), np.random.default_rng(5))
    arrays |= {"0.clip": np.float32([clip]), "0.range": np.float32([reach])}
    load_state(stack, arrays)
    stack.eval()
    return stack, arrays


@pytest.mark.parametrize("name", ROUNDED)
def test_what_learns_is_what_is_stored(name):
    """The forward pass that rounds as it goes and the one of a file of integers give the same numbers, to the bit."""
    layer, shape = ROUNDED[name]
    stack, arrays = stack_of(layer)
    stored = Stack((Quantised((layer,), stored=True),))
    for key, axis in layer.products.items():
        arrays[f"0.body.0.{key}"] = restore_weights(*round_weights(arrays[f"0.body.0.{key}"], axis))
    load_state(stored, arrays)
    stored.eval()
    x = ops.array(np.random.default_rng(0).standard_normal(shape).astype(np.float32))
    with backend.no_grad():
        assert np.array_equal(ops.numpy(stack(x)), ops.numpy(stored(x)))


def test_what_comes_in_has_255_values():
    """Rounded to a 127th of the range, halves to even, never beyond the range; zero is zero."""
    x = np.float32([0, 0.5, 1.5, 2.5, -0.5, -1.5, 126.6, 200, -200, 3.2]) / np.float32(127)
    found = ops.numpy(quantised.round_to_steps(ops.array(x), ops.array(np.float32([1]))))
    np.testing.assert_allclose(found * 127, [0, 0, 2, 2, 0, -2, 127, 127, -127, 3], atol=1e-4)


def test_gradients_pass_straight_and_the_bound_learns():
    """Of x within the bound that of the layer, beyond it none: there the bound's own, by its sign; of the weight
    that of the rounded input.
    """
    stack, arrays = stack_of(Linear(3, 2, bias=False), clip=0.8, reach=0.8)
    unit = getattr(stack, "0")
    stack.train()
    x = ops.array(np.float32([[[0.5, 2.0, -3.0]]]) + np.float32(0))
    if backend.NAME == "torch":
        x.requires_grad_()
    slope = np.float32([[[1.0, -2.0]]])
    loss = (stack(x) * ops.array(slope)).sum()
    weight = getattr(unit.body, "0").weight
    of_x, of_clip, of_weight = (ops.numpy(one) for one in backend.gradients(loss, [x, unit.clip, weight]))
    rounded = restore_weights(*round_weights(arrays["0.body.0.weight"], 0))
    through = slope[0, 0] @ rounded
    np.testing.assert_allclose(of_x.ravel(), [through[0], 0, 0], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(of_clip, [through[1] - through[2]], rtol=1e-5)
    came_in = np.rint(np.float32([0.5, 0.8, -0.8]) / 0.8 * 127) * 0.8 / 127
    np.testing.assert_allclose(of_weight, np.outer(slope[0, 0], came_in), rtol=1e-5)


def test_the_range_follows_while_training_alone():
    """The first batch sets it, later ones move it by a tenth; reading leaves it as it is."""
    stack, _ = stack_of(Linear(3, 2), clip=20, reach=0)
    for training, largest, expected in [(True, 2.0, 2.0), (True, 4.0, 2.2), (False, 9.0, 2.2)]:
        stack.train() if training else stack.eval()
        x = ops.array(np.float32([[[largest, -1, 0.5]]]))
        ops.numpy(stack(x))
        assert state(stack)["0.range"] == pytest.approx(expected)


@pytest.mark.parametrize("body", [(), (Linear(3, 2), Linear(2, 2)), (Quantised((Linear(3, 2),)),)])
def test_one_layer_with_products_is_rounded(body):
    with pytest.raises(ValueError, match="one layer that multiplies"):
        replace(Quantised((Linear(3, 2),)), body=body)
