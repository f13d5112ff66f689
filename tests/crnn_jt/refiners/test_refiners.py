"""Refiners: context flows between the vectors of one image, and of no other."""

from __future__ import annotations

import numpy as np
import pytest

from crnn_jt.backend import load_state, no_grad, ops, state
from crnn_jt.layers import BiLSTM, arrays_of
from crnn_jt.registry import REFINERS
from tests.oracle.plan import evaluate, random_state

SEQUENCE = np.random.default_rng(0).standard_normal((10, 4, 16)).astype(np.float32)


def refiner(**options):
    made = REFINERS.build("bilstm", {"hidden": 8, **options}, in_features=16)
    arrays = random_state(made.layers(), np.random.default_rng(1), "stack.")
    load_state(made, arrays)
    made.eval()
    return made, arrays


@pytest.mark.parametrize("name", REFINERS.names())
def test_every_refiner_follows_its_plan_for_each_sequence_alone(name):
    """Values, arrays and widths as declared; what lies beyond a sequence's own length does not flow in."""
    made = REFINERS.build(name, REFINERS.get(name).tiny, in_features=16)
    arrays = random_state(made.layers(), np.random.default_rng(1), "stack.")
    assert arrays_of(made.named_layers()) == {key: value.shape for key, value in state(made).items()}
    load_state(made, arrays)
    made.eval()
    lengths = np.array([10, 7, 1, 4])
    with no_grad():
        found = ops.numpy(made(ops.array(SEQUENCE), lengths))
    for n, length in enumerate(lengths):
        alone = evaluate(made.layers(), arrays, SEQUENCE[:length, n : n + 1], "stack.")
        assert alone.shape[2] == made.out_features
        np.testing.assert_allclose(found[:length, n], alone[:, 0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("context", [False, True])
def test_bilstm_layers_follow_the_definition(context):
    """Two layers with a projection between: gates i, f, g, o, both directions, against numpy."""
    made, arrays = refiner(depth=2, projection=12, context=context)
    with no_grad():
        found = ops.numpy(made(ops.array(SEQUENCE)))
    assert found.shape == (10, 4, made.out_features)
    np.testing.assert_allclose(found, evaluate(made.layers(), arrays, SEQUENCE, "stack."), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("context", [False, True])
def test_the_reverse_direction_starts_at_each_sequence_s_own_end(context):
    """With lengths, each sequence is refined as if it stood alone; what lies behind it does not flow in."""
    made, arrays = refiner(depth=2, context=context)
    lengths = np.array([10, 7, 1, 4])
    with no_grad():
        found = ops.numpy(made(ops.array(SEQUENCE), lengths))
    for n, length in enumerate(lengths):
        alone = evaluate(made.layers(), arrays, SEQUENCE[:length, n : n + 1], "stack.")
        np.testing.assert_allclose(found[:length, n], alone[:, 0], rtol=1e-4, atol=1e-5)


def test_depth_counts_the_layers():
    """Any number of layers, as in the CRNN."""
    made, _ = refiner(depth=3)
    assert sum(type(layer) is BiLSTM for layer in made.layers()) == 3 and made.out_features == 16


def test_identity_changes_nothing():
    """No refinement, no weights."""
    made = REFINERS.build("identity", {}, in_features=16)
    assert made.out_features == 16 and made.layers() == () and state(made) == {}
    np.testing.assert_array_equal(ops.numpy(made(ops.array(SEQUENCE))), SEQUENCE)


def test_with_context_the_first_step_reaches_the_last_one_undiminished():
    """A key signature 400 steps away is as near as one 20 steps away: an LSTM alone would have forgotten it."""
    made, _ = refiner(depth=2, context=True)
    sequence = np.zeros((400, 2, 16), np.float32)
    sequence[0, 1] = 3
    with no_grad():
        unlike = np.abs(np.diff(ops.numpy(made(ops.array(sequence))), axis=1)).max((1, 2))
    assert unlike[-1] > 0.5 * unlike[20] > 1e-3
