"""Freezing layers of sequences: on steps or on maps, whichever they are made for, they give what they define."""

from __future__ import annotations

import numpy as np
import pytest

from crnn_jt.blocks import encoder_layer
from crnn_jt.freeze import NotCovered, begin_flow
from crnn_jt.layers import (
    Activation,
    BiLSTM,
    CrossAttention,
    Dropout,
    GlobalMaxContext,
    Keep,
    LayerNorm,
    Linear,
    Plan,
    Positions,
    Recall,
    Residual,
    SelfAttention,
)
from crnn_jt.sequences import GRID
from tests.crnn_jt.layer_examples import SEQUENCES
from tests.crnn_jt.test_freeze import assert_close
from tests.oracle.plan import evaluate, random_state

CLOZE = (
    *(Keep("text"), Linear(8, 24), Keep("memory"), Recall("text"), Linear(8, 21)),
    *(Residual((CrossAttention(21, 3, memory_features=24, diagonal=True), Dropout(0.1))), LayerNorm(21)),
    *(Residual((Linear(21, 40), Activation("gelu"), Dropout(0.1), Linear(40, 21))), LayerNorm(21)),
)
MIXED = (
    *(BiLSTM(8, 9), Positions(18, 300), *encoder_layer(18, 3, 50), Linear(18, 32), GlobalMaxContext(32)),
    *(Linear(64, 20), BiLSTM(20, 6), LayerNorm(12)),
)
PLANS = {
    **{name: (plan, (7,)) for name, plan in SEQUENCES.items() if not name.startswith("Quantised")},
    "a cloze network": (CLOZE, (2, 26)),
    "steps, maps and steps again": (MIXED, (1, 30, 257)),
    "heads of whole vectors": ((Linear(8, 64), Residual((SelfAttention(64, 2),)), LayerNorm(64)), (1, 18, 70)),
}
"""Plans for eight features, and numbers of steps."""


def freeze_sequence(plan: Plan, state: dict[str, np.ndarray], library=None):
    """A network from pictures (N, 8, 1, T), whose pixels are the steps, to the plan's sequence."""
    flow = begin_flow(8, state, library)
    flow.become_sequence(GRID)
    flow.add_sequence(plan, "")
    return flow.finish()


def check(plan: Plan, counts: tuple[int, ...], library=None) -> None:
    """The definition's numbers, and the same bits alone and in a batch."""
    state = random_state(plan, np.random.default_rng(len(plan)))
    network = freeze_sequence(plan, state, library)
    for steps in counts:
        pictures = np.random.default_rng(steps).standard_normal((5, 8, 1, steps)).astype(np.float32)
        found = network.run_directly(pictures)
        assert_close(found, evaluate(plan, state, pictures[:, :, 0].transpose(2, 0, 1)))  # (T, N, C)
        np.testing.assert_array_equal(network.run_directly(pictures[3:4])[:, 0], found[:, 3])


@pytest.mark.parametrize("name", PLANS)
def test_sequences_give_what_their_layers_define(name):
    check(*PLANS[name])


def test_a_sequence_longer_than_its_positions_is_refused():
    plan = (Positions(8, 9),)
    network = freeze_sequence(plan, random_state(plan, np.random.default_rng(0)))
    with pytest.raises(ValueError, match="holds 9 steps, the sequence has 10"):
        network.run_directly(np.zeros((1, 8, 1, 10), np.float32))


def test_a_unit_of_what_maps_do_not_run_is_refused_by_name():
    """A sum around a recurrent layer."""
    with pytest.raises(NotCovered, match="Residual among sequence layers"):
        freeze_sequence((Residual((BiLSTM(8, 4),)),), {})
