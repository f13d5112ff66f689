"""Pruning: the smaller network is the larger one without what was zero, in every way that channels hang together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crnn_jt.backend import no_grad, ops, state
from crnn_jt.blocks import conv_unit, inverted_residual
from crnn_jt.compression.channels import Flow, cost_of
from crnn_jt.compression.eight_bits import open_to_rounding
from crnn_jt.compression.filters import (
    choose_kept,
    choose_shares,
    count_left,
    cut,
    flow_of,
    mask,
    name_set,
    rank_filters,
)
from crnn_jt.compression.parts import parts_of
from crnn_jt.layers import Conv, MaxPool, Quantised, Residual, cost, to_values
from crnn_jt.models import build, restore
from crnn_jt.spec import ModelSpec, StageSpec, from_dict, to_dict
from crnn_jt.weights import Weights
from data_tools.errors import UserError
from tests.crnn_jt import tiny
from tests.oracle.plan import evaluate, random_state

PLAN = (
    *conv_unit(1, 8, stride=(4, 4)),
    *inverted_residual(8, 8, 12, gate=True),
    Residual((*conv_unit(8, 6), Conv(6, 10)), (Conv(8, 10, (1, 1), padding=(0, 0)),)),
    *conv_unit(10, 10, groups=2),
    *conv_unit(10, 6),
    Quantised((Conv(6, 5, bias=False),)),
    MaxPool((8, 1), (8, 1)),
)


def whole() -> tuple:
    """A classifier of direction with sums, a gate, depthwise and grouped convolutions, and its weights."""
    spec = replace(tiny.direction(), extractor=StageSpec("plan", {"plan": to_values(PLAN)}))
    model = build(spec, 0)
    arrays = state(model) | random_state(PLAN, np.random.default_rng(0), "extractor.stack.")
    return model, Weights(arrays, spec)


def half_of(flow: Flow) -> dict[int, np.ndarray]:
    """Any half of the channels of every set that may be pruned."""
    rng = np.random.default_rng(1)
    return {n: np.sort(rng.choice(flow.sizes[n], flow.sizes[n] // 2, False)) for n in flow.open_sets()}


def test_sums_gates_and_depthwise_pairs_are_pruned_together():
    """The first convolution with the unit that is added to it; both sides of the second sum; groups stay whole."""
    flow = flow_of(whole()[0])
    assert [(name_set(flow, root), flow.sizes[root]) for root in flow.open_sets()] == [
        ("extractor.stack.0", 8),
        ("extractor.stack.3.body.0", 12),
        ("extractor.stack.3.body.6.body.1", 3),
        ("extractor.stack.4.body.0", 6),
        ("extractor.stack.8", 6),
        ("extractor.stack.11.body.0", 5),
    ]


def test_without_its_dead_filters_a_network_is_the_same():
    """By the definitions in float64: nothing but zeros is missing from its sums."""
    model, weights = whole()
    flow = flow_of(model)
    kept = half_of(flow)
    small = cut(model, weights, kept)
    pictures = tiny.pictures()
    dead = evaluate(PLAN, mask(flow, weights.arrays, kept), pictures, "extractor.stack.")
    made = restore(small, "small")
    found = evaluate(made.extractor.layers(), small.arrays, pictures, "extractor.stack.")
    last = kept[flow.open_sets()[-1]]
    np.testing.assert_allclose(found, dead[:, last], rtol=1e-9, atol=1e-12)
    assert np.abs(np.delete(dead, last, 1)).max() == 0
    assert from_dict(ModelSpec, to_dict(small.spec)) == small.spec
    assert small.arrays["head.0.weight"].shape == (2, 2)


def test_costs_are_those_of_the_smaller_plan():
    """But for what cannot be pruned, here the convolution of two groups."""
    model, weights = whole()
    flow = flow_of(model)
    kept = half_of(flow)
    small = restore(cut(model, weights, kept), "small").extractor.layers()
    fixed = cost(PLAN[5:6], None, 8, 10)
    for plan, own in ((PLAN, {}), (small, kept)):
        assert cost_of(flow, weights.arrays, own) + fixed == cost(plan, 1, 32, 40)


CELLS = StageSpec("cells", {"genotype": "auto-deeplab", "counts": [1, 2, 1, 1, 1], "width": 0.5})


@pytest.mark.parametrize(
    "spec",
    [tiny.detector(), tiny.model(), replace(tiny.model(), extractor=CELLS)],
    ids=["detector", "recognizer", "recognizer of cells"],
)
def test_whole_models_are_cut(spec):
    """A pyramid of maps that meet again; what enters a sequence stays."""
    model = tiny.lively(build(spec, 0))
    weights, flow = Weights(state(model), spec), flow_of(model)
    kept = half_of(flow)
    small = cut(model, weights, kept)
    assert sum(value.size for value in small.arrays.values()) < 0.8 * sum(v.size for v in weights.arrays.values())
    dead = restore(replace(weights, arrays=mask(flow, weights.arrays, kept)), "dead")
    images = np.random.default_rng(0).uniform(-1, 1, (1, 1, spec.image.height, spec.image.width)).astype(np.float32)
    with no_grad():
        found, expected = (
            ops.numpy(one.extractor(ops.array(images)) if spec.kind == "recognizer" else one(ops.array(images)))
            for one in (restore(small, "small"), dead)
        )
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    assert set(parts_of(restore(small, "small"))) == set(parts_of(model))


def test_the_filter_that_others_stand_in_for_goes_first():
    """The one nearest to the others, not the smallest one."""
    flow = Flow()
    made = flow.add(4)
    flow.filters.append((made[0], "weight", 0))
    rows = np.float32([[1, 0], [0, 0.01], [-1, 0], [0, 4]])
    assert rank_filters(flow, {"weight": rows}, made[0])[0] == 1
    rows = np.float32([[9, 0], [5, 5], [0, 0], [5, 6]])  # the small one is far from all others
    assert rank_filters(flow, {"weight": rows}, made[0])[0] == 1
    assert choose_kept(flow, {"weight": rows}, made[0], 0.25).tolist() == [0, 2, 3]
    assert [count_left(64, 0.3), count_left(20, 0.9), count_left(6, 0.99)] == [48, 8, 1]


def test_most_goes_where_the_model_minds_least():
    curves = {0: {0.25: 0.0, 0.5: 0.1}, 1: {0.25: 5.0, 0.5: 20.0}}
    shares = choose_shares(curves, lambda shares: round(200 - 100 * sum(shares.values())), 140)
    assert shares[0] == 0.5 and 0.09 < shares[1] < 0.12
    with pytest.raises(UserError, match=r"--keep: .* stay at least"):
        choose_shares(curves, lambda shares: round(200 - 100 * sum(shares.values())), 50)


@pytest.mark.parametrize("make", [flow_of, lambda model: open_to_rounding(Weights({}, model.spec))])
@pytest.mark.parametrize(
    ("spec", "said"), [(tiny.spotter(), "a spotter is not"), (tiny.selector(), "a selector is not")]
)
def test_a_kind_that_is_not_covered_is_named(spec, said, make):
    with pytest.raises(UserError, match=said):
        make(build(spec, 0))
