"""Stacks: plans as modules give what their layers define, whatever a sample's batch mates are, and learn by it."""

from __future__ import annotations

import numpy as np
import pytest

from crnn_jt import backend, quantised  # noqa: F401  (registers how layers in 8 bits run)
from crnn_jt.backend import load_state, nn, no_grad, ops, state
from crnn_jt.layers import (
    Activation,
    Add,
    BatchNorm,
    Concat,
    Conv,
    CrossAttention,
    Keep,
    Linear,
    MaxPool,
    Residual,
    Upsample,
    arrays_of,
    buffers_of,
    follow,
    fresh_state,
    walk,
)
from crnn_jt.modules import module_of
from crnn_jt.stack import Stack
from tests.crnn_jt import tiny
from tests.crnn_jt.layer_examples import PIECES, PLANS, example
from tests.oracle.plan import evaluate, random_state
from tests.oracle.slopes import slope

PLAN = (
    Conv(1, 4),
    Activation("hardswish"),
    MaxPool((2, 2), (2, 1), (0, 1)),
    Residual((BatchNorm(4), Activation("relu"), Conv(4, 4, bias=False)), (Conv(4, 4, (1, 1), padding=(0, 0)),)),
    MaxPool(),
)
RANDOM = ("Dropout",)
ROUNDED = tuple(name for name in PLANS if name.startswith("Quantised"))
"""Their slopes pass rounding by, which differences do not: tests/crnn_jt/test_quantised.py."""
STATISTICS = ("BatchNorm", "inverted residual unit")
"""Normalised by the batch's statistics while they learn; their slopes are tested with the kernels and in parity."""


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
    """Convolution, padded pooling, a residual unit: a narrow image next to a wide one."""
    images = tiny.pictures(width=40)
    with no_grad():
        found = ops.numpy(stack(ops.array(images), np.array([40, width, 40, 40])))
    alone = evaluate(PLAN, state(stack), images[1:2, :, :, :width])[0]
    np.testing.assert_allclose(found[1, :, :, : alone.shape[2]], alone, rtol=1e-3, atol=1e-4)
    whole = evaluate(PLAN, state(stack), images[:1])[0]
    np.testing.assert_allclose(found[0], whole, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", PLANS)
def test_arrays_are_those_that_the_layers_declare(name):
    """Shapes, keys, and which of them are never trained: weights files and optimisers go by the declaration."""
    named, made = dict(walk(PLANS[name])), Stack(PLANS[name])
    assert {key: value.shape for key, value in state(made).items()} == arrays_of(named)
    assert set(backend.buffers(made)) == buffers_of(named)
    assert set(fresh_state(named, np.random.default_rng(0))) == set(arrays_of(named))


@pytest.mark.parametrize("piece", PIECES, ids=lambda piece: type(piece).__name__)
def test_pieces_of_decoders_have_the_arrays_that_they_declare(piece):
    assert {key: value.shape for key, value in state(module_of(piece)).items()} == piece.arrays()


def with_weights(name):
    """The named example, its stack and its weights."""
    given = example(name)
    arrays = random_state(given.plan, np.random.default_rng(1))
    made = Stack(given.plan)
    load_state(made, arrays)
    return given, made, arrays


@pytest.mark.parametrize("name", PLANS)
def test_layers_give_what_they_define_alone_and_in_a_batch(name):
    """Each sample of a padded batch is what the layers' definitions make of it without its padding."""
    given, made, arrays = with_weights(name)
    made.eval()
    x = given.x.astype(np.float32)
    with no_grad():
        padded, sizes = made.with_sizes(ops.array(x), given.sizes)
        whole = ops.numpy(made(ops.array(x)))
    expected = evaluate(given.plan, arrays, x)
    assert whole.shape == expected.shape
    np.testing.assert_allclose(whole, expected, rtol=1e-3, atol=1e-4)
    shape = follow(given.plan, given.shape._replace(width=given.sizes))
    np.testing.assert_array_equal(sizes, shape.width)
    for n in range(3):
        alone = evaluate(given.plan, arrays, given.alone(x, n))
        assert shape.channels == alone.shape[1 if alone.ndim == 4 else 2]
        found = given.alone(ops.numpy(padded), n, sizes[n])
        np.testing.assert_allclose(found, alone, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", [name for name in PLANS if name not in RANDOM + STATISTICS + ROUNDED])
def test_slopes_are_those_of_the_definitions(name):
    """Of a padded batch, by finite differences: what lies beyond a sample's own size teaches nothing."""
    given, made, arrays = with_weights(name)
    made.train()
    x = ops.array(given.x.astype(np.float32))
    if hasattr(x, "requires_grad_"):
        x.requires_grad_()
    y, sizes = made.with_sizes(x, given.sizes)
    axis = np.arange(y.shape[3 if len(y.shape) == 4 else 0])
    inside = axis < sizes[:, None]  # (N, W)
    inside = inside[:, None, None] if len(y.shape) == 4 else inside.T[:, :, None]
    towards = np.random.default_rng(2).standard_normal(tuple(y.shape)) * inside
    learnt = backend.parameters(made)
    slopes = backend.gradients((y * ops.array(towards.astype(np.float32))).sum(), [x, *learnt.values()])

    def loss(x, *weights):
        weighed = arrays | dict(zip(learnt, weights))
        values = [evaluate(given.plan, weighed, given.alone(x, n)) for n in range(3)]
        return sum((value * given.alone(towards, n, sizes[n])).sum() for n, value in enumerate(values))

    at = [given.x, *(arrays[key].astype(np.float64) for key in learnt)]
    for position, found in enumerate(map(ops.numpy, slopes)):
        along = np.random.default_rng(position).standard_normal(at[position].shape)
        expected = slope(loss, at, position, along, 1e-6)
        assert (found * along).sum() == pytest.approx(expected, rel=2e-3, abs=2e-3), ["x", *learnt][position]


def test_pooling_an_image_no_higher_than_the_window():
    """Jittor's own pooling refuses it."""
    images = tiny.pictures()[:, :, :2]
    found = ops.numpy(Stack((MaxPool(),))(ops.array(images)))
    np.testing.assert_array_equal(found, images.reshape(4, 1, 1, 2, 20, 2).max((3, 5)))


def test_what_is_given_can_be_asked_for():
    """A decoder's layers look at a memory that is no part of their plan."""
    plan = (CrossAttention(8, 2), Linear(8, 8))
    rng = np.random.default_rng(0)
    queries, memory = rng.standard_normal((7, 3, 8)), rng.standard_normal((5, 3, 8))
    made, arrays = Stack(plan), random_state(plan, rng)
    load_state(made, arrays)
    kept = {"memory": (ops.array(memory.astype(np.float32)), np.array([5, 2, 4]))}
    found = ops.numpy(made(ops.array(queries.astype(np.float32)), None, kept))
    alone = evaluate(plan, arrays, queries[:, 1:2], kept={"memory": memory[:2, 1:2]})
    np.testing.assert_allclose(found[:, 1:2], alone, rtol=1e-3, atol=1e-4)
    assert set(kept) == {"memory"}


@pytest.mark.parametrize("last", [Add("fine"), Concat(("fine",))])
def test_kept_values_that_do_not_fit_are_not_stretched(last):
    """Frameworks would repeat a single row or column to fit, and train on that."""
    plan = (Keep("fine"), MaxPool((6, 8), (6, 8)), last)
    with pytest.raises(ValueError, match="'fine', kept, is"):
        Stack(plan)(ops.array(example("Add").x.astype(np.float32)))


def test_widths_that_do_not_meet_again_are_refused():
    plan = (Keep("fine"), MaxPool(), Upsample(), Add("fine"))
    images = ops.array(example("Add").x.astype(np.float32))
    with pytest.raises(ValueError, match="of widths"):
        Stack(plan)(images, np.array([8, 5, 6]))


class Doubling(nn.Conv2d):
    """A convolution with something of its own, as a quantised or pruned one would have."""

    def __call__(self, x):
        return 2 * super().__call__(x)


def test_a_module_of_another_kind_is_not_passed_over():
    """On the CPU plans train in the kernels, past their modules: a quantised one would have trained as a plain one."""
    plan = (Conv(1, 4), Activation("relu"))
    made = Stack(plan)
    load_state(made, random_state(plan, np.random.default_rng(0)))
    made.train()
    images = ops.array(tiny.pictures())
    plain = ops.numpy(made(images))
    weights, other = state(made), Doubling(1, 4, (3, 3), (1, 1), (1, 1))
    setattr(made, "0", other)
    load_state(made, weights)
    made.train()
    np.testing.assert_allclose(ops.numpy(made(images)), 2 * plain, rtol=1e-4, atol=1e-5)
