"""Every extractor computes what its plan says, by the layers' definitions."""

from __future__ import annotations

import numpy as np
import pytest

from crnn_jt.backend import load_state, no_grad, ops, state
from crnn_jt.layers import out_shape
from crnn_jt.recognizer import build
from crnn_jt.registry import EXTRACTORS
from crnn_jt.weights import check, load_weights
from data_tools.errors import UserError
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


LIGHT = {0: (32, 1, 5, 5), 3: (64, 32, 3, 3), 7: (128, 64, 3, 3), 10: (128, 128, 3, 3)}
LIGHT |= {14: (192, 128, 3, 3), 17: (256, 192, 3, 3), 20: (256, 256, 4, 1)}
STAFF_LIGHT = {0: (24, 1, 5, 5), 3: (32, 24, 3, 3), 7: (64, 32, 3, 3), 10: (64, 64, 3, 3)}
STAFF_LIGHT |= {14: (96, 64, 3, 3), 18: (96, 96, 3, 3), 21: (192, 96, 6, 1)}


@pytest.mark.parametrize(("name", "height", "expected"), [("light", 32, LIGHT), ("staff_light", 96, STAFF_LIGHT)])
def test_weights_trained_before_still_fit(name, height, expected):
    """Where a convolution stands is its key in every weights file there is."""
    extractor = EXTRACTORS.build(name, {}, in_channels=1, height=height)
    found = {key: value.shape for key, value in state(extractor).items() if len(value.shape) == 4}
    assert found == {f"stack.{place}.weight": shape for place, shape in expected.items()}
    assert extractor.out_shape(height, 100) == (1, 25)


def test_the_shipped_weights_fit_what_their_spec_builds():
    """Else the demo ends in a line about missing keys."""
    weights = load_weights("crnn-light")
    check(weights.arrays, state(build(weights.spec)), "crnn-light")


@pytest.mark.parametrize(("name", "least"), [("light", 8), ("staff_light", 16)])
def test_an_image_too_low_is_refused(name, least):
    """Not at the first batch, with the framework's words."""
    EXTRACTORS.build(name, {"width": 0.1}, in_channels=1, height=least)
    with pytest.raises(UserError, match=f"takes {least} or more"):
        EXTRACTORS.build(name, {"width": 0.1}, in_channels=1, height=least - 1)
