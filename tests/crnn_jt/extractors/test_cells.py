"""Cells of other searches: the published genotypes, wired as published, on the path of a line of text."""

from __future__ import annotations

import numpy as np
import pytest

from crnn_jt.blocks import conv_unit
from crnn_jt.extractors.cells import GENOTYPES, Earlier, make_cell
from crnn_jt.layers import Conv, Linear, Shape, arrays_of, buffers_of, follow, walk
from crnn_jt.registry import EXTRACTORS
from data_tools.errors import UserError
from tests.oracle.plan import evaluate, random_state


def parameters(plan) -> int:
    named = dict(walk(plan))
    return sum(int(np.prod(shape)) for key, shape in arrays_of(named).items() if key not in buffers_of(named))


def network_of_cifar(genotype) -> int:
    """The parameters of DARTS' network for CIFAR-10 (its paper, section 3.1): 20 cells of 36 channels, doubled where
    the 7th and the 14th make the map smaller.
    """
    first, last, channels, stride = 108, 108, 36, (1, 1)
    count = parameters(conv_unit(3, first)) + parameters((Linear(576, 10),))
    for number in range(20):
        smaller = number in (6, 13)
        channels *= 1 + smaller
        now = (2, 2) if smaller else (1, 1)
        edges = genotype.reduction if smaller else genotype.normal
        count += parameters((make_cell(edges, Earlier("earlier", first, stride), last, channels, now),))
        first, last, stride = last, 4 * channels, now
    return count


def test_darts_cells_make_the_network_that_was_published():
    """3.3 M parameters (README of quark0/darts): another operation or channel would show."""
    assert network_of_cifar(GENOTYPES["darts-second"]) == 3349342


def test_a_cell_sums_and_joins_what_its_edges_say():
    """By hand: a node of both inputs, one of that node and the last cell's output; the first input is the earlier."""
    edges = (("skip_connect", 0), ("skip_connect", 1), ("max_pool_3x3", 2), ("skip_connect", 1))
    cell = make_cell(edges, Earlier("earlier", 2, (2, 1)), 3, 4, (1, 1))
    rng = np.random.default_rng(0)
    state, x, earlier = random_state((cell,), rng), rng.standard_normal((1, 3, 4, 5)), rng.standard_normal((1, 2, 8, 5))
    last, first = (evaluate(cell.body[n : n + 3], _from(state, n), value) for n, value in ((0, x), (5, earlier)))
    node = first + last
    padded = np.pad(node, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    pooled = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3)).max((4, 5))
    found = evaluate((cell,), state, x, kept={"earlier": earlier})
    np.testing.assert_allclose(found, np.concatenate([node, pooled + last], 1), rtol=1e-6)


def _from(state, first: int) -> dict[str, np.ndarray]:
    """The arrays of a cell's layers from number `first` on, as a plan of these alone names them."""
    places = {key: key.removeprefix("0.body.").split(".", 1) for key in state}
    return {f"{int(place) - first}.{name}": state[key] for key, (place, name) in places.items()}


@pytest.mark.parametrize("name", GENOTYPES)
@pytest.mark.parametrize("path", ["AABBB", "BBBAA"])
def test_a_picture_becomes_25_steps(name, path):
    options = {"genotype": name, "counts": [1, 2, 1, 1, 1], "path": path}
    extractor = EXTRACTORS.build("cells", options, in_channels=3)
    shape = follow(extractor.layers(), Shape(3, 32, np.array([100, 57])))
    assert shape.channels == (510 if name == "auto-deeplab" else 512) == extractor.out_channels
    assert shape.height == 1 and shape.width.tolist() == [25, 15]


def test_only_cells_that_keep_the_size_are_dilated():
    """Auto-DeepLab's atrous convolutions are dense, DARTS' have a kernel for each channel."""
    for name, grouped in (("auto-deeplab", False), ("darts-second", True)):
        plan = EXTRACTORS.build("cells", {"genotype": name}, in_channels=3).layers()
        dilated = [layer for _, layer in walk(plan) if type(layer) is Conv and layer.dilation != (1, 1)]
        assert dilated and all(layer.stride == (1, 1) and (layer.groups > 1) == grouped for layer in dilated)
    plan = EXTRACTORS.build("cells", {"genotype": "darts"}, in_channels=3).layers()
    assert all(layer.dilation == (1, 1) for _, layer in walk(plan) if type(layer) is Conv)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"genotype": "enas"}, "genotype 'enas': it takes darts, darts-second, auto-deeplab"),
        ({"counts": [1, 1]}, "counts .*: it takes 5 numbers"),
        ({"counts": [1, 1, 0, 1, 1]}, "counts .*: it takes 5 numbers, 1 or more"),
        ({"path": "AABB"}, "path 'AABB'"),
    ],
)
def test_what_is_no_stack_of_cells_is_refused(options, said):
    with pytest.raises(UserError, match=said):
        EXTRACTORS.build("cells", options, in_channels=3)
