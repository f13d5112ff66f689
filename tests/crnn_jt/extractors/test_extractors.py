"""Every extractor computes what its plan says, by the layers' definitions."""

from __future__ import annotations

import numpy as np
import pytest

from crnn_jt.backend import load_state, no_grad, ops
from crnn_jt.layers import out_shape
from crnn_jt.registry import EXTRACTORS
from tests.crnn_jt import tiny
from tests.oracle.plan import evaluate, random_state

STAGES = {**tiny.EXTRACTORS, "staff": {"stride": 4}, "staff_light": {"width": 0.125}}


@pytest.mark.parametrize("name", STAGES)
def test_features_are_those_of_the_plan(name):
    """A layer lost or in the wrong place between plan and module would train, and freeze into another model."""
    height = 64 if name == "staff" else 32
    extractor = EXTRACTORS.build(name, STAGES[name], in_channels=1, height=height)
    arrays = random_state(extractor.layers(), np.random.default_rng(0))
    load_state(extractor, {f"stack.{key}": value for key, value in arrays.items()})
    extractor.eval()
    images = np.random.default_rng(1).uniform(-1, 1, (tiny.BATCH, 1, height, 40)).astype(np.float32)
    with no_grad():
        found = ops.numpy(extractor(ops.array(images)))
    expected = evaluate(extractor.layers(), arrays, images)
    assert found.shape == expected.shape == (tiny.BATCH, extractor.out_channels, *extractor.out_shape(height, 40))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * float(np.abs(expected).max()))


@pytest.mark.parametrize("name", STAGES)
def test_widths_may_be_an_array(name):
    """Step counts of a batch come from each image's own width."""
    extractor = EXTRACTORS.build(name, STAGES[name], in_channels=1, height=32)
    widths = np.array([24, 32, 40, 48])
    steps = extractor.out_shape(32, widths)[1]
    assert steps.tolist() == [out_shape(extractor.layers(), 32, int(width))[1] for width in widths]
