"""The search space: as many paths and operations as the paper counts, and its architecture is the published size."""

from __future__ import annotations

import numpy as np
import pytest

from crnn_jt.layers import Choice, arrays_of, buffers_of, cost, out_channels, out_shape, walk
from crnn_jt.search import space


def parameters(plan) -> int:
    """How many numbers of a plan are trained, nothing built."""
    named = dict(walk(plan))
    kept = buffers_of(named)
    return sum(int(np.prod(shape)) for key, shape in arrays_of(named).items() if key not in kept)


def test_as_many_paths_and_operations_as_the_paper_counts():
    """30,030 ways from (32, 100) to (1, 25) over 15 layers, ten of them typical, seven operations in each layer."""
    paths = set(space.all_paths(15))
    assert len(paths) == 30030 and all(len(path) == 15 for path in paths)
    assert len(set(space.typical_paths())) == 10 and {"AABBB", "ABABB"} <= set(space.typical_paths())
    assert space.count_operations(15) == 7**15
    typical = {space.strides_of(path) for path in space.typical_paths()}
    assert typical <= {space.strides_of(path) for path in paths}


@pytest.mark.parametrize("path", [*space.typical_paths(), "-A---BB---A---B"])
def test_every_path_ends_at_the_same_map(path):
    """Steps and features of the sequence do not depend on the path; the order of strides only costs more or less."""
    plan = space.plan_of(path, ["k3e1"] * 15)
    assert (out_channels(plan, 3), *out_shape(plan, 32, 100)) == (512, 1, 25)


def test_early_height_halving_is_cheaper():
    """A cost that did not follow the map's size could not choose a path."""
    costs = [cost(space.plan_of(path, ["residual"] * 15), 3, 32, 100) for path in ("AABBB", "ABABB", "BBBAA")]
    assert costs[0] < costs[1] < costs[2]


def test_the_published_architecture_has_the_published_size():
    """2.34 M weights in its convolutions, 2.36 M with the norms, as published; of the 256 M multiply-adds that it
    states, we count 247 M, the products with weights.
    """
    plan = space.plan_of("ABABB", space.PUBLISHED)
    assert space.PUBLISHED[:2] == ("k5e6", "k5e6") and space.PUBLISHED[-2:] == ("skip", "skip")
    named = dict(walk(plan))
    matrices = sum(int(np.prod(shape)) for shape in arrays_of(named).values() if len(shape) == 4)
    assert matrices == pytest.approx(2.34e6, abs=0.005e6)
    assert parameters(plan) == pytest.approx(2.36e6, abs=0.01e6)
    assert cost(plan, 3, 32, 100) == pytest.approx(247e6, abs=0.5e6)


@pytest.mark.parametrize(
    ("path", "operations", "said"),
    [
        ("ABAB", ["k3e1"] * 15, "path 'ABAB': it takes 2 A and 3 B"),
        ("AAABB", ["k3e1"] * 15, "it takes 2 A and 3 B"),
        ("ABABB", ["k3e1"] * 14, "14 operations"),
        ("ABABB", ["skip", *["k3e1"] * 14], "operation 'skip' of 32 to 32 channels: it takes k5e1, "),
        ("ABABB", ["k7e1"] * 15, "operation 'k7e1'"),
    ],
)
def test_what_is_not_in_the_space_is_refused(path, operations, said):
    """Else a misspelt architecture would be another one."""
    with pytest.raises(ValueError, match=said):
        space.plan_of(path, operations)


def test_any_is_a_choice_of_what_fits():
    """Six operations where the map changes its shape, seven elsewhere."""
    plan = space.plan_of("ABABB", ["any"] * 15)
    counts = [len(layer.candidates) for layer in plan if isinstance(layer, Choice)]
    assert counts == [6, 7, 7] * 5
