"""Stacks: plans as modules, with what lies behind an image's width kept out."""

from __future__ import annotations

import numpy as np
import pytest

from crnn_jt.backend import load_state, no_grad, ops, state
from crnn_jt.layers import Activation, Conv, MaxPool, Norm, Residual
from crnn_jt.stack import Stack
from tests.crnn_jt import tiny
from tests.oracle.plan import evaluate, random_state

PLAN = (
    Conv(1, 4),
    Activation("hardswish"),
    MaxPool((2, 2), (2, 1), (0, 1)),
    Residual((Norm(4), Activation("relu"), Conv(4, 4, bias=False)), (Conv(4, 4, (1, 1), padding=(0, 0)),)),
    MaxPool(),
)


@pytest.fixture
def stack():
    made = Stack(PLAN)
    load_state(made, random_state(PLAN, np.random.default_rng(0)))
    made.eval()
    return made


def test_keys_are_those_of_the_plan(stack):
    """Weights files depend on them."""
    assert set(state(stack)) == set(random_state(PLAN, np.random.default_rng(0)))


@pytest.mark.parametrize("width", [24, 33])
def test_padded_images_give_what_they_give_alone(stack, width):
    """Convolution, padded pooling, a residual unit: a narrow image beside a wide one."""
    images = tiny.pictures(width=40)
    with no_grad():
        found = ops.numpy(stack(ops.array(images), np.array([40, width, 40, 40])))
    alone = evaluate(PLAN, state(stack), images[1:2, :, :, :width])[0]
    np.testing.assert_allclose(found[1, :, :, : alone.shape[2]], alone, rtol=1e-3, atol=1e-4)
    whole = evaluate(PLAN, state(stack), images[:1])[0]
    np.testing.assert_allclose(found[0], whole, rtol=1e-3, atol=1e-4)


def test_pooling_an_image_no_higher_than_the_window():
    """Jittor's own pooling refuses it."""
    images = tiny.pictures()[:, :, :2]
    found = ops.numpy(Stack((MaxPool(),))(ops.array(images)))
    np.testing.assert_array_equal(found, images.reshape(4, 1, 1, 2, 20, 2).max((3, 5)))
