"""Every extractor computes what its plan says, by the layers' definitions."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from crnn_jt.backend import load_state, no_grad, ops, state
from crnn_jt.layers import arrays_of, cost, out_shape, to_values
from crnn_jt.models import build
from crnn_jt.registry import EXTRACTORS
from crnn_jt.spec import ModelSpec, StageSpec, from_dict, to_dict
from crnn_jt.weights import check, load_weights
from data_tools.errors import UserError
from tests.crnn_jt import tiny
from tests.oracle.plan import evaluate, random_state


def tiny_extractor(name: str) -> tuple:
    """The extractor with its own small options and random weights, in eval mode; its weights; a height it takes."""
    for height in (32, 64):
        extractor = EXTRACTORS.build(name, EXTRACTORS.get(name).tiny, in_channels=1, height=height)
        if min(extractor.out_shape(height, 40)) >= 1:
            break
    arrays = random_state(extractor.layers(), np.random.default_rng(0), "stack.")
    load_state(extractor, arrays)
    extractor.eval()
    return extractor, arrays, height


def pictures(height: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (tiny.BATCH, 1, height, 40)).astype(np.float32)


@pytest.mark.parametrize("name", EXTRACTORS.names())
def test_features_are_those_of_the_plan(name):
    """A layer lost or in the wrong place between plan and module would train, and freeze into another model."""
    extractor, arrays, height = tiny_extractor(name)
    images = pictures(height)
    with no_grad():
        found = ops.numpy(extractor(ops.array(images)))
    expected = evaluate(extractor.layers(), arrays, images, "stack.")
    assert found.shape == expected.shape == (tiny.BATCH, extractor.out_channels, *extractor.out_shape(height, 40))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * float(np.abs(expected).max()))


@pytest.mark.parametrize("name", EXTRACTORS.names())
def test_arrays_are_those_that_the_layers_declare(name):
    """Fresh weights, groups of parameters and checks of files go by the declaration."""
    extractor, _, _ = tiny_extractor(name)
    assert arrays_of(extractor.named_layers()) == {key: value.shape for key, value in state(extractor).items()}


@pytest.mark.parametrize("name", EXTRACTORS.names())
def test_widths_may_be_an_array(name):
    """Step counts of a batch come from each image's own width."""
    extractor, _, height = tiny_extractor(name)
    widths = np.array([24, 32, 40, 48])
    steps = extractor.out_shape(height, widths)[1]
    assert steps.tolist() == [out_shape(extractor.layers(), height, int(width))[1] for width in widths]


def test_a_pyramid_is_taken_after_its_taps():
    """A detector's neck gets the maps whose channels and sizes it was built for."""
    extractor, arrays, height = tiny_extractor("light")
    extractor.taps = (5, 9, len(extractor.plan) - 1)
    images, widths = pictures(height), np.array([40, 24, 40, 32])
    with no_grad():
        maps = [ops.numpy(features) for features in extractor.pyramid(ops.array(images), widths)]
    assert [features.shape[1:] for features in maps] == extractor.pyramid_shapes(height, 40)
    alone = evaluate(extractor.plan[:10], arrays, images[1:2, :, :, :24], "stack.")
    assert extractor.pyramid_shapes(height, widths)[1].width.tolist()[1] == alone.shape[3]
    np.testing.assert_allclose(maps[1][1:2, :, :, : alone.shape[3]], alone, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "options", "photo", "line"),
    [
        ("shufflenet_v2", {"width": 0.5}, [24, 48, 96, 1024], 1024),
        ("shufflenet_v2", {"width": 1.0}, [24, 116, 232, 1024], 1024),
        ("resnet_vd", {"depth": 18}, [64, 128, 256, 512], 512),
        ("resnet_vd", {"depth": 34, "width": 0.5}, [32, 64, 128, 256], 256),
        ("mobilenet_v3", {"size": "small", "width": 0.35}, [8, 8, 16, 200], 200),
        ("mobilenet_v3", {"size": "large", "width": 1.0}, [24, 40, 112, 960], 960),
    ],
)
def test_backbones_of_pp_ocr_read_photographs_and_lines(name, options, photo, line):
    """Detector, direction and recogniser may have any of them: four maps of a photograph, 80 steps of a line."""
    extractor = EXTRACTORS.build(name, options, in_channels=3)
    assert [shape.channels for shape in extractor.pyramid_shapes(64, 96)] == photo
    assert [shape[1:] for shape in extractor.pyramid_shapes(64, 96)] == [(16, 24), (8, 12), (4, 6), (2, 3)]
    lines = EXTRACTORS.build(name, options | {"lines": True}, in_channels=3)
    assert (lines.out_channels, *lines.out_shape(32, 320)) == (line, 1, 80) and not lines.taps


def test_the_second_stride_costs_rows_not_steps():
    """PP-OCR's strategy S4 against what it was before: as many steps, made from maps of half the height."""
    options = {"size": "small", "width": 0.5, "lines": True}
    kept, halved = (EXTRACTORS.build("mobilenet_v3", options | {"second_stride": n}, in_channels=3) for n in (1, 2))
    assert kept.out_shape(32, 320) == halved.out_shape(32, 320) == (1, 80)
    assert 1.5 < cost(kept.layers(), 3, 32, 320) / cost(halved.layers(), 3, 32, 320) < 2
    shapes = [sorted(arrays_of(each.named_layers()).values()) for each in (kept, halved)]
    assert shapes[0] == shapes[1]
    with pytest.raises(UserError, match="second_stride 2: it takes 1, or for lines 2"):
        EXTRACTORS.build("mobilenet_v3", {"second_stride": 2}, in_channels=3)


def test_a_plan_stands_in_a_models_spec():
    """A weights file holds its spec as JSON, and rebuilds its model from that alone."""
    values = to_values(tiny_extractor("light")[0].layers())
    spec = replace(tiny.model(), extractor=StageSpec("plan", {"plan": values}))
    again = from_dict(ModelSpec, json.loads(json.dumps(to_dict(spec))))
    assert again == spec and to_values(build(again).extractor.layers()) == values


def test_a_plan_from_a_spec_is_the_extractor_that_it_was_taken_from():
    """What a search found, or pruning left, is read from its weights file like any other model."""
    light, arrays, height = tiny_extractor("light")
    planned = EXTRACTORS.build("plan", {"plan": to_values(light.layers())}, in_channels=1, height=height)
    load_state(planned, arrays)
    planned.eval()
    with no_grad():
        found, expected = (ops.numpy(made(ops.array(pictures(height)))) for made in (planned, light))
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(UserError, match=r"extractor plan: layer 1, Conv: takes 8 channels, there are 4"):
        layers = [{"layer": "Conv", "in_channels": n, "out_channels": 4} for n in (1, 8)]
        EXTRACTORS.build("plan", {"plan": layers}, in_channels=1, height=height)
    with pytest.raises(UserError, match=r"plan\.0: there is no layer 'Con'"):
        EXTRACTORS.build("plan", {"plan": [{"layer": "Con"}]}, in_channels=1, height=height)


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
