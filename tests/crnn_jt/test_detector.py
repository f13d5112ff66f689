"""Detectors: what they are made of, their shapes and costs, their losses, and that they learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from crnn_jt import detecting
from crnn_jt.backend import NAME, ops
from crnn_jt.decoding.regions import Found
from crnn_jt.detecting import Resolution, TextDetector, cut_tiles, is_tiny
from crnn_jt.extractors.mobilenet import MobileNetV3
from crnn_jt.heads.db import choose_pixels
from crnn_jt.layers import Conv, Shape, walk
from crnn_jt.learner import Learner
from crnn_jt.matching import Counts, count, match
from crnn_jt.models import build, construct
from crnn_jt.necks.fpn import FeaturePyramid
from crnn_jt.spec import Config, DetectorSpec, StageSpec, TrainSpec, from_dict, load_config, to_dict
from crnn_jt.tasks import task_of
from crnn_jt.tasks.detection import Pieces
from crnn_jt.weights import Weights
from data_tools.errors import UserError
from data_tools.loader import Loader
from data_tools.readers import open_reader
from data_tools.sample import Region, Sample
from tests.crnn_jt import tiny


def arrays_of(model) -> dict[str, np.ndarray]:
    from crnn_jt.backend import state

    return state(model)


@pytest.mark.parametrize("name, stride, most", [("db", 1, 2e6), ("db-light", 2, 1e6)])
def test_what_comes_as_a_configuration_can_be_built(name, stride, most):
    """As weights of float16 they must not be larger than PP-OCR's, 2 M parameters or so."""
    config = load_config(name)
    assert isinstance(config.model, DetectorSpec) and from_dict(Config, to_dict(config)) == config
    model = construct(config.model)
    sizes = sum(np.prod(shape) for layer in model.named_layers().values() for shape in layer.arrays().values())
    assert model.stride == stride and model.multiple == 32 and sizes < most
    assert model.cost(640, 640) == 4 * model.cost(320, 320) > 0


def test_mobilenet_for_lines_is_that_of_pp_ocr():
    """Small, half as wide: 3x32x320 becomes 288 channels of 80 steps; its first block has 8 channels."""
    extractor = MobileNetV3(3, "small", 0.5, lines=True)
    assert extractor.out_channels == 288 and extractor.out_shape(32, 320) == (1, 80)
    convolutions = [layer for _, layer in walk(extractor.layers()) if isinstance(layer, Conv)]
    depthwise = [layer for layer in convolutions if layer.groups > 1]
    assert [layer.groups for layer in depthwise] == [8, 40, 48, 48, 120, 120, 64, 72, 144, 288, 288]
    assert [layer.stride for layer in depthwise if layer.stride != (1, 1)] == [(2, 1), (2, 1), (2, 1)]


@pytest.mark.parametrize("size, channels", [("large", [16, 24, 56, 480]), ("small", [8, 16, 24, 288])])
def test_mobilenet_for_photographs_has_four_maps(size, channels):
    """At a 4th, 8th, 16th and 32nd of the photograph."""
    shapes = MobileNetV3(3, size, 0.5, gates=False).pyramid_shapes(64, 96)
    assert [shape.channels for shape in shapes] == channels
    assert [(shape.height, shape.width) for shape in shapes] == [(16, 24), (8, 12), (4, 6), (2, 3)]


def test_a_pyramid_of_maps_ends_at_the_finest():
    neck = FeaturePyramid((8, 12, 16), inner=10)
    shapes = [Shape(8, 16, 24), Shape(12, 8, 12), Shape(16, 4, 6)]
    assert neck.out_shape(shapes) == (10, 16, 24)
    lateral = 16 * 24 * 8 * 10 + 8 * 12 * 12 * 10 + 4 * 6 * 16 * 10
    out = 9 * 10 * (4 * 6 * 3 + 8 * 12 * 3 + 16 * 24 * 4)
    assert neck.cost(shapes) == lateral + out
    with pytest.raises(ValueError, match="height"):
        neck.out_shape([Shape(8, 16, 24), Shape(12, 8, 12), Shape(16, 5, 6)])


@pytest.mark.parametrize(
    "change, mentioned",
    [
        ({"extractor": StageSpec("light")}, "one map only"),
        ({"head": StageSpec("db", {"doublings": 3})}, "doublings"),
        ({"neck": StageSpec("fpn", {"inner": 2})}, "inner 2"),
        ({"image": replace(tiny.detector().image, width=80)}, "multiple of 32"),
        ({"neck": StageSpec("pyramid")}, "no 'pyramid'"),
    ],
)
def test_stages_that_do_not_fit_are_refused_in_one_line(change, mentioned):
    with pytest.raises(UserError, match=mentioned):
        construct(replace(tiny.detector(), **change))


def test_hard_negatives_are_three_for_each_pixel_of_text():
    """The ones that look most like text; none that nobody may judge; a few in a picture without text."""
    rng = np.random.default_rng(0)
    entropy = rng.random((2, 16, 16)).astype(np.float32)
    shrunk, valid = np.zeros((2, 16, 16)), np.ones((2, 16, 16))
    shrunk[0, 4:6, 4:9] = 1
    valid[0, 10:] = 0
    weights = choose_pixels(entropy, shrunk, valid)
    chosen = weights > 0
    assert chosen[0].sum() == 10 + 30 and chosen[0][shrunk[0] > 0].all() and not chosen[0, 10:].any()
    negatives = (shrunk[0] == 0) & (valid[0] > 0)
    assert entropy[0][chosen[0] & negatives].min() >= entropy[0][negatives & ~chosen[0]].max()
    assert chosen[1].sum() == 8  # a 32nd of 256
    np.testing.assert_allclose(weights.sum((1, 2)), 0.5, rtol=1e-5)


def test_losses_do_not_depend_on_batch_mates():
    """Means over photographs, so that ranks add up: the loss of two is the mean of the losses of each."""
    model = build(tiny.detector(), 0)
    model.eval()
    rng = np.random.default_rng(1)
    images = ops.array(tiny_batch := rng.uniform(-1, 1, (4, 1, 64, 64)).astype(np.float32))
    shrunk = (rng.random((4, 32, 32)) > 0.7).astype(np.float32)
    shrunk[1] = 0
    maps = {"shrunk": shrunk, "valid": np.ones_like(shrunk), "border": shrunk * 100, "banded": shrunk}
    whole = {name: float(ops.numpy(value).sum()) for name, value in model.losses(images, maps).items()}
    halves = [
        {
            name: float(ops.numpy(value).sum())
            for name, value in model.losses(
                ops.array(np.concatenate([tiny_batch[part], tiny_batch[part]])),
                {key: np.concatenate([value[part], value[part]]) for key, value in maps.items()},
            ).items()
        }
        for part in (slice(0, 2), slice(2, 4))
    ]
    for name, value in whole.items():
        assert value == pytest.approx((halves[0][name] + halves[1][name]) / 2, rel=2e-3), name


def test_both_backends_learn_alike():
    """The losses of three steps from one seed, computed on both: each must come to the same."""
    model = build(tiny.detector(), 0)
    model.train()
    train = TrainSpec(optimizer="sgd", weight_decay=0.0, ema=0.0)
    learner = Learner(task_of(model, Config(tiny.detector(), train)), train)
    images = np.random.default_rng(0).uniform(-1, 1, (4, 1, 64, 64)).astype(np.float32)
    shrunk = np.zeros((4, 32, 32), np.float32)
    shrunk[:, 8:16, 4:20] = 1
    pieces = Pieces(images, {"shrunk": shrunk, "valid": shrunk * 0 + 1, "border": shrunk * 120, "banded": shrunk})
    found = [float(ops.numpy(learner.step(pieces, 0.001, number)[0]["loss"]).sum()) for number in (1, 2, 3)]
    assert found == pytest.approx([3.20114, 3.09856, 2.96523], rel=3e-5)


@pytest.mark.skipif(NAME != "jittor", reason="Jittor only: both backends are compared above")
def test_a_tiny_detector_learns_to_find_words(tmp_path):
    """Photographs, maps, losses, post-processing and matching agree: most words of a tiny set are found after a
    minute's training at most, as a rule all; a fresh one finds none.
    """
    data = open_reader(tiny.write_photos(tmp_path / "set", 8))
    spec = tiny.detector(0.25, 32)
    config = Config(spec, TrainSpec(batch_size=4, augment=False, learning_rate=0.01, ema=0.0, weight_decay=0.0))
    model = build(spec, 0)
    task = task_of(model, config)
    learner, loader = Learner(task, config.train), Loader(data, task.collate(True), 4)
    model.train()
    batches = list(loader.batches())
    for number in range(1, 121):
        learner.step(task.usable(batches[number % 2])[0], 0.01 if number < 90 else 0.003, number)
    detector = TextDetector(Weights(arrays_of(model), spec, {}), "tiny")
    total = Counts()
    for index in range(8):
        sample = data[index]
        found = detector.find(sample.image, Resolution(1.0))
        total += count(match([each.quad for each in found], sample.regions))
    assert total.scores()["hmean"] > 50, total
    scores, _ = task.evaluate(Loader(data, task.collate(False), 4))
    assert scores["n"] == 8


@pytest.mark.parametrize("unit, regions", [("words", 3), ("lines", 2)])
@pytest.mark.parametrize("training", [False, True])
def test_a_detector_of_lines_learns_from_lines(unit, regions, training):
    """Its spec says so, and words of a line become one region, in training and in validation."""
    spec = replace(tiny.detector(), unit=unit)
    task = task_of(build(spec), Config(spec, TrainSpec(augment=False)))
    places = {(4, 4): 0, (30, 4): 0, (4, 40): 1}
    words = [
        Region(np.float32([[x, y], [x + 20, y], [x + 20, y + 12], [x, y + 12]]), "word", line=line)
        for (x, y), line in places.items()
    ]
    sample = Sample(Image.new("L", (64, 64)), "", "key", regions=tuple(words))
    collate = task.collate(training)
    batch = collate.batch([collate.record(sample, np.random.default_rng(0))])
    assert len(batch.regions[0]) == regions and bool(batch.targets) == training
    if training:
        assert batch.targets["shrunk"].shape == (1, 32, 32)


def test_any_size_is_looked_at_and_the_map_is_of_what_it_holds():
    """Sides that are no multiples of 32 are padded, and the padding is cut off again."""
    model = build(tiny.detector(), 0)
    detector = TextDetector(Weights(arrays_of(model), tiny.detector(), {}), "tiny")
    image = Image.new("RGB", (50, 41), "white")
    assert detector.probability(image, 1.0).shape == (21, 25)
    assert detector.probability(image, 0.5).shape == (10, 13)
    assert detector.probability(Image.new("L", (1, 1)), 0.3).shape == (1, 1)
    assert all(np.isfinite(found.quad).all() for found in detector.find(image))
    with pytest.raises(UserError, match="not a detector"):
        TextDetector(Weights({}, tiny.model(), {}), "words")


@pytest.mark.skipif(NAME != "jittor", reason="Jittor only: the kernels are its")
@pytest.mark.parametrize("extractor", ["dense", "mobilenet_v3"])
def test_the_kernels_see_what_the_framework_sees(extractor):
    """On photographs of any size, and as the whole network: from pixels to probabilities."""
    stage = StageSpec(extractor, {"width": 0.125})
    spec = replace(tiny.detector(), extractor=stage, head=StageSpec("db", {"inner": 6}))
    weights = Weights(arrays_of(tiny.lively(build(spec, 0))), spec, {})
    frozen, plain = TextDetector(weights, "tiny"), TextDetector(weights, "tiny", fast=False)
    assert frozen.network is not None and plain.network is None
    for size in ((64, 32), (97, 70), (1, 1)):
        image = Image.fromarray(np.random.default_rng(0).integers(0, 256, size[::-1], np.uint8))
        found, expected = frozen.probability(image, 1.0), plain.probability(image, 1.0)
        assert found.shape == expected.shape and (expected.size == 1 or np.ptp(expected) > 0.01)
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_large_photograph_is_looked_at_in_tiles_and_seen_as_a_whole(monkeypatch):
    """Text across the edge of two tiles is one region: maps are joined before anything is read off them."""
    model = build(tiny.detector(), 0)
    detector = TextDetector(Weights(arrays_of(model), tiny.detector(), {}), "tiny")
    pixels = np.random.default_rng(0).integers(0, 256, (300, 330), np.uint8)
    whole = detector.probability(Image.fromarray(pixels), 1.0)
    monkeypatch.setattr(detecting, "LARGEST", 256)
    monkeypatch.setattr(detecting, "TILE", 256)
    monkeypatch.setattr(detecting, "MARGIN", 96)
    tiled = detector.probability(Image.fromarray(pixels), 1.0)
    assert np.abs(tiled - whole).mean() < 0.002  # a row off would be three times as much


@pytest.mark.parametrize("length", [2000, 2001, 2304, 2305, 9999])
def test_tiles_cover_a_side_once_and_see_around_what_is_taken(length):
    tiles = cut_tiles(length)
    assert [tile.first for tile in tiles] == [0, *(tile.last for tile in tiles[:-1])] and tiles[-1].last == length
    assert all(tile.end - tile.begin <= 2000 for tile in tiles)
    for tile in tiles:
        assert tile.begin == 0 or tile.first - tile.begin >= detecting.MARGIN
        assert tile.end == length or tile.end - tile.last >= detecting.MARGIN


def test_tiny_text_is_told_by_its_height_as_it_was_looked_at():
    quad = np.float32([[0, 0], [99, 0], [99, 20], [0, 20]])
    found = [Found(quad, quad, 0.9)]
    assert is_tiny(found, 0.5) and not is_tiny(found, 0.7) and is_tiny([], 0.5)
