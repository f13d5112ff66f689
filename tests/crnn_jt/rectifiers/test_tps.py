"""The thin-plate spline rectifier against the spline solved anew in numpy, and in front of other models."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crnn_jt import backend
from crnn_jt.backend import kernels, load_state, no_grad, ops, state
from crnn_jt.layers import arrays_of, fresh_state
from crnn_jt.models import build
from crnn_jt.reading import SequenceReader
from crnn_jt.rectifiers.tps import edge_points, pixel_places, spline_matrix
from crnn_jt.registry import RECTIFIERS
from crnn_jt.spec import StageSpec
from crnn_jt.weights import Weights
from data_tools.errors import UserError
from tests.crnn_jt import tiny

OPTIONS = RECTIFIERS.get("tps").tiny


def rectifier(seed: int | None = None):
    """In eval mode with fresh weights, or with random ones that bend."""
    made = RECTIFIERS.build("tps", OPTIONS, in_channels=1)
    load_state(made, fresh_state(made.named_layers(), np.random.default_rng(0)))
    if seed is not None:
        rng = np.random.default_rng(seed)
        own = {"head.weight": (16, 8), "head.bias": (16,)}
        load_state(made, {name: 0.1 * rng.standard_normal(shape) for name, shape in own.items()})
    made.eval()
    return made


def solved(points: np.ndarray, values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The spline through `values` (K, 2) at `points` by its definition: bends that sum to nothing, and a plane."""

    def bend(a, b):
        r = np.hypot(*(a - b))
        return 0.0 if r == 0 else r * r * np.log(r * r)

    count = len(points)
    matrix = np.zeros((count + 3, count + 3))
    for i, p in enumerate(points):
        matrix[i] = [*(bend(p, q) for q in points), 1, *p]
        matrix[count:, i] = [1, *p]
    weights = np.linalg.solve(matrix, np.concatenate([values, np.zeros((3, 2))]))
    return np.array([[*(bend(place, q) for q in points), 1, *place] @ weights for place in places])


def sampled(image: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(H, W) read at places (M, 2) in [-1, 1], bilinear, zero outside: (M,)."""
    height, width = image.shape
    padded = np.pad(image.astype(np.float64), 1)
    x = np.clip((places[:, 0] + 1) / 2 * (width - 1), -1, width) + 1
    y = np.clip((places[:, 1] + 1) / 2 * (height - 1), -1, height) + 1
    left, top = np.minimum(np.floor(x).astype(int), width), np.minimum(np.floor(y).astype(int), height)
    across, down = x - left, y - top
    upper = padded[top, left] * (1 - across) + padded[top, left + 1] * across
    lower = padded[top + 1, left] * (1 - across) + padded[top + 1, left + 1] * across
    return upper * (1 - down) + lower * down


def test_the_spline_goes_through_its_points_and_is_the_smoothest():
    """Twenty points, as published, against a system solved for each surface."""
    rng, points = np.random.default_rng(0), edge_points(20)
    values, places = points + 0.2 * rng.standard_normal((20, 2)), rng.uniform(-1, 1, (30, 2))
    np.testing.assert_allclose(spline_matrix(points, points) @ values, values, atol=1e-10)
    np.testing.assert_allclose(spline_matrix(points, places) @ values, solved(points, values, places), atol=1e-8)
    turned = points @ np.array([[0.9, 0.2], [-0.3, 1.1]]) + [0.1, -0.2]  # a plane bends nothing
    expected = places @ np.array([[0.9, 0.2], [-0.3, 1.1]]) + [0.1, -0.2]
    np.testing.assert_allclose(spline_matrix(points, places) @ turned, expected, atol=1e-10)


def test_it_starts_as_nothing_but_a_resize():
    """Exactly: a model that is trained on has its rectifier put before it without a change."""
    made, images = rectifier(), tiny.pictures()
    with no_grad():
        places = ops.numpy(made.sources(ops.array(images), np.full(4, 40)))
        found, widths = made(ops.array(images), np.full(4, 40))
    assert all(np.array_equal(own, pixel_places(32, 40).astype(np.float32)) for own in places)
    np.testing.assert_allclose(ops.numpy(found), images, atol=2e-5)
    assert widths.tolist() == [40] * 4


def test_it_bends_by_the_points_that_it_finds():
    """The picture is read where the solved spline says, for each member of a batch by its own points."""
    made, images = rectifier(seed=1), tiny.pictures()
    with no_grad():
        places = ops.numpy(made.sources(ops.array(images), np.full(4, 40)))
        found = ops.numpy(made(ops.array(images), np.full(4, 40))[0])
    corners = edge_points(8)
    at = pixel_places(32, 40)
    for n in range(4):
        moved = np.linalg.lstsq(spline_matrix(corners, at), places[n] - at, rcond=None)[0]
        assert np.abs(moved).max() > 0.05
        expected = solved(corners, corners + moved, at)
        np.testing.assert_allclose(places[n], expected, atol=1e-4)
        np.testing.assert_allclose(found[n, 0].ravel(), sampled(images[n, 0], expected), atol=5e-3)


def test_a_padded_picture_is_rectified_as_if_alone():
    """Whatever stands in the padded columns."""
    made, images, widths = rectifier(seed=1), tiny.pictures(), np.array([40, 24, 40, 32])
    for image, width in zip(images, widths):
        image[:, :, width:] = 7
    with no_grad():
        together = ops.numpy(made(ops.array(images), widths)[0])
        for n in (1, 3):
            own = np.repeat(images[n : n + 1, :, :, : widths[n]], 4, 0)
            alone = ops.numpy(made(ops.array(own), np.full(4, widths[n]))[0])
            np.testing.assert_allclose(together[n], alone[0], atol=2e-3)


def test_it_learns_through_the_sampling():
    """Slopes of the points by finite differences; through the first layer too, else nothing is localised."""
    made = rectifier(seed=2)
    made.train()
    images, widths = tiny.pictures(), np.full(4, 40)
    towards = np.random.default_rng(3).standard_normal((4, 1, 32, 40)).astype(np.float32)
    with no_grad():
        places = ops.numpy(made.sources(ops.array(images), widths)).astype(np.float64)
    loss = (made(ops.array(images), widths)[0] * ops.array(towards)).sum()
    own = backend.parameters(made)
    slopes = dict(zip(own, map(ops.numpy, backend.gradients(loss, list(own.values())))))
    assert np.abs(slopes["localisation.0.weight"]).max() > 0
    along = np.random.default_rng(4).standard_normal(16)
    moved = spline_matrix(edge_points(8), pixel_places(32, 40)) @ along.reshape(8, 2)

    def value(step: float) -> float:
        found = [sampled(image[0], at + step * moved) for image, at in zip(images, places)]
        return float((np.stack(found) * towards.reshape(4, -1)).sum())

    expected = (value(1e-6) - value(-1e-6)) / 2e-6
    assert (slopes["head.bias"] * along).sum() == pytest.approx(expected, rel=2e-3)


def test_margin_and_edges_are_those_of_aster():
    """Points within the picture still leave it as it is at the start; nothing is read beyond its outermost pixels."""
    images, widths = tiny.pictures(), np.full(4, 40)
    made = RECTIFIERS.build("tps", {**OPTIONS, "margin": 0.05, "repeat_edges": True}, in_channels=1)
    load_state(made, fresh_state(made.named_layers(), np.random.default_rng(0)))
    made.eval()
    with no_grad():
        np.testing.assert_allclose(ops.numpy(made(ops.array(images), widths)[0]), images, atol=2e-5)
        load_state(made, {"head.bias": np.tile([0.5, 0.0], 8)})
        places = ops.numpy(made.sources(ops.array(images), widths))
        found = ops.numpy(made(ops.array(images), widths)[0])
    assert places.max() == 1 and places.min() >= -1
    np.testing.assert_allclose(found[..., -9:], np.broadcast_to(images[..., -1:], found[..., -9:].shape), atol=1e-4)


def test_arrays_are_those_that_the_layers_declare():
    made = rectifier()
    assert arrays_of(made.named_layers()) == {key: value.shape for key, value in state(made).items()}


def test_the_published_size():
    """1.85 M parameters with the options' defaults on pictures in colour."""
    made = RECTIFIERS.build("tps", {}, in_channels=3)
    assert sum(v.size for v in state(made).values()) == pytest.approx(1.85e6, rel=0.01)


@pytest.mark.parametrize("refiner", ["bilstm", "identity"])
@pytest.mark.parametrize("generator", ["ctc", "attention"])
def test_it_goes_before_other_models(refiner, generator):
    """A fresh rectifier leaves the logits of a model on pictures of the same size as they were."""
    spec = tiny.model("light", refiner, generator)
    before = replace(spec, rectifier=StageSpec("tps", OPTIONS))
    plain, rectified = tiny.lively(build(spec)), build(before)
    fresh = state(rectified)
    load_state(rectified, fresh | state(plain))
    rectified.eval()
    images, widths = ops.array(tiny.pictures()), np.full(4, 40)
    with no_grad():
        expected, steps = plain(images, widths)
        found, lengths = rectified(images, widths)
    assert lengths.tolist() == steps.tolist()
    np.testing.assert_allclose(ops.numpy(found), ops.numpy(expected), rtol=1e-3, atol=1e-3)


def test_a_rectified_model_reads_pictures_of_any_width():
    """In a padded batch as alone; what comes out has one width, so all have the same steps."""
    spec = replace(tiny.model(image=tiny.PROPORTIONAL), rectifier=StageSpec("tps", OPTIONS))
    recognizer = tiny.lively(build(spec))
    rng = np.random.default_rng(1)
    load_state(recognizer, {"rectifier.head.weight": 0.1 * rng.standard_normal((16, 8))})
    recognizer.eval()
    reader = SequenceReader(Weights(state(recognizer), spec), "tiny")
    images, widths = tiny.pictures(width=48), np.array([48, 24, 40, 32])
    with no_grad():
        logits, lengths = recognizer(ops.array(images), widths)
    assert lengths.tolist() == [10] * 4 and (reader.network is not None) == kernels()
    for n in (1, 3):
        own, _ = reader.logits(np.repeat(images[n : n + 1, :, :, : widths[n]], 4, 0))
        np.testing.assert_allclose(ops.numpy(logits)[:, n], own[:, 0], rtol=5e-3, atol=5e-3)


@pytest.mark.skipif(backend.NAME != "jittor", reason="Jittor only: the kernels are its")
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("bend", [0.1, 3.0], ids=["bent", "far outside"])
@pytest.mark.parametrize("edges", [False, True])
def test_the_kernels_rectify_as_the_framework_does(edges, bend, channels):
    """Grey and colour, of any width; points that land far outside the picture show zeros, or what is at its edge."""
    image = replace(tiny.PROPORTIONAL, channels=channels)
    options = {**OPTIONS, "repeat_edges": edges, "margin": 0.1 * edges}
    spec = replace(tiny.model(image=image), rectifier=StageSpec("tps", options))
    recognizer = tiny.lively(build(spec))
    load_state(recognizer, {"rectifier.head.weight": bend * np.random.default_rng(1).standard_normal((16, 8))})
    weights = Weights(state(recognizer), spec)
    frozen, plain = SequenceReader(weights, "tiny"), SequenceReader(weights, "tiny", fast=False)
    assert frozen.network is not None
    for width in (1, 40, 53):
        images = np.repeat(tiny.pictures(width=64)[:, :, :, :width], channels, 1)
        found, expected = frozen.logits(images)[0], plain.logits(images)[0]
        np.testing.assert_allclose(found, expected, atol=2e-4 * np.abs(expected).max())
        np.testing.assert_array_equal(frozen.logits(images[1:2])[0][:, 0], found[:, 1])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"points": 7}, "points 7: it takes an even number"),
        ({"out_width": 1}, "take 2 or more"),
        ({"width": 0}, "width"),
        ({"margin": 0.5}, "margin 0.5"),
    ],
)
def test_values_that_make_no_sense_are_refused(options, said):
    with pytest.raises(UserError, match=said):
        RECTIFIERS.build("tps", options, in_channels=1)
