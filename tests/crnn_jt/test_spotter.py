"""Spotters: what is cut out of their features, what they cost, and that they learn to find and to read at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crnn_jt import backend
from crnn_jt.backend import ops
from crnn_jt.judging import MapJudge, TextJudge
from crnn_jt.learner import Learner
from crnn_jt.models import build, construct, restore
from crnn_jt.regions import cut_regions, widths_of
from crnn_jt.spec import Config, RegionSpec, StageSpec, load_config
from crnn_jt.tasks import task_of
from crnn_jt.weights import load_weights
from data_tools.errors import UserError
from data_tools.loader import Loader, PhotoBatch
from data_tools.readers import open_reader
from data_tools.sample import Region
from tests.crnn_jt import tiny

SLANTED = np.float32([[20, 12], [52, 20], [50, 40], [18, 30]])


def coordinates(side: int, stride: int) -> np.ndarray:
    """A map (1, 2, side, side) that says of each place where in the picture it lies."""
    places = (np.arange(side) + 0.5) * stride
    return np.stack(np.meshgrid(places, places)).astype(np.float32)[None]


def test_a_region_is_cut_along_its_quad():
    """Row by row from the top left as read, perspective undone; what lies after a region's own columns is zero."""
    maps, spec = ops.array(coordinates(16, 4)), RegionSpec(8, 8, 32, 8)
    square = np.float32([[8, 8], [40, 8], [40, 40], [8, 40]])
    found = ops.numpy(cut_regions(maps, [[square, SLANTED]], np.array([8, 24]), 4, spec))
    assert found.shape == (2, 2, 8, 24) and not found[0, :, :, 8:].any()
    assert found[0, 0, 0, :8] == pytest.approx(np.arange(8) * 4 + 10) and found[0, 1, :, 0] == pytest.approx(
        np.arange(8) * 4 + 10
    )
    along = found[1][:, 4]  # (2, 24): a straight line through the quad, left to right
    assert (np.diff(along[0]) > 0).all() and np.abs(np.diff(along, 2)).max() < 0.2
    corner = found[1][:, 0, 0]
    assert np.linalg.norm(corner - SLANTED[0]) < 3 and np.linalg.norm(found[1][:, -1, -1] - SLANTED[2]) < 3


def test_a_masked_region_is_the_box_around_it():
    """As the paper has it: the upright box at 8 x 32, and nothing outside of the quad."""
    spec = RegionSpec(8, 32, 32, 8, masked=True)
    maps = ops.array(np.ones((1, 1, 16, 16), np.float32))
    found = ops.numpy(cut_regions(maps, [[SLANTED]], np.array([32]), 4, spec))[0, 0]
    assert found[4, 16] == 1 and not found[0, -4:].any() and not found[-1, :2].any()
    assert 0.5 < found.mean() < 0.9


def test_long_words_get_more_columns():
    quads = [np.float32([[0, 0], [w, 0], [w, 10], [0, 10]]) for w in (5, 20, 400)]
    assert widths_of(quads, RegionSpec(8, 8, 32, 8)).tolist() == [8, 16, 32]


@pytest.mark.parametrize("name", ["spotter-light", "spotter"])
def test_what_comes_as_a_configuration_can_be_built(name):
    """The light one, with its selector, ships in 8 MB of float16; costs follow from the plans."""
    model, selector = (construct(load_config(each).model) for each in (name, "selector"))
    sizes = [
        sum(np.prod(shape) for layer in one.named_layers().values() for shape in layer.arrays().values())
        for one in (model, selector)
    ]
    assert name == "spotter" or 2 * sum(sizes) < 8e6
    assert selector.cost(640, 640) < 0.25 * model.cost(640, 640)
    read = model.cost(640, 640, [32, 64], symbols=6) - model.cost(640, 640)
    assert read == model.region_cost(32, 6) + model.region_cost(64, 6) > 0


@pytest.mark.parametrize(
    "change, said",
    [
        ({"region": RegionSpec(2, 8, 32, 8)}, "regions of 4 rows"),
        ({"branch": StageSpec("vgg_global")}, "no sequence of regions"),
        ({"generator": StageSpec("guess")}, "no 'guess'"),
    ],
)
def test_stages_that_do_not_fit_are_refused_in_one_line(change, said):
    with pytest.raises(UserError, match=said):
        construct(replace(tiny.spotter(), **change))


def learn(spec, folder, steps: int, rate: float = 0.01):
    """A spotter after some steps on four photographs with a word each, and these as a batch. What is found of so small
    ones is not exact, nor are the words that it learns from.
    """
    tiny.write_photos(folder / "set", 4)
    settings = tiny.config(spec, augment=False, optimizer="adamw", learning_rate=rate, ema=0.0)
    task = task_of(build(spec, 1), replace(settings, task=StageSpec("spotting", {"jitter": 0.15})))
    data = open_reader(folder / "set")
    batch = next(Loader(data, task.collate(True), 4).batches())
    learner, first = Learner(task, settings.train), None
    task.model.train()
    for step in range(1, steps + 1):
        task.before_step(step)
        losses, _ = learner.step(task.usable(batch)[0], rate if step < 0.7 * steps else rate / 5, step)
        last = {name: float(ops.numpy(value).sum()) for name, value in losses.items()}
        first = first or last
    task.model.eval()
    with backend.no_grad():
        scores, _ = task.evaluate(Loader(data, task.collate(False), 4))
    return task, batch, scores, first, last


def wider():
    """Wide enough to learn four words by heart."""
    spec = tiny.spotter()
    return replace(
        spec,
        extractor=StageSpec("dense", {"width": 0.25}),
        neck=StageSpec("fpn", {"inner": 32}),
        branch=StageSpec("region", {"channels": 24}),
        refiner=StageSpec("bilstm", {"hidden": 24, "depth": 1}),
        generator=StageSpec("attention", {"hidden": 24, "attention": 24, "embedding": 8}),
    )


@pytest.fixture(scope="module")
def learnt(tmp_path_factory):
    """A spotter that knows four photographs: scores, losses at first and last, its batch, and its weights file."""
    folder = tmp_path_factory.mktemp("spotter")
    task, batch, scores, first, last = learn(wider(), folder, 160)
    tiny.save(folder / "spotter.safetensors", task.model)
    return scores, first, last, batch, folder


def test_it_learns_to_find_and_to_read_at_once(learnt):
    """Every loss falls; of four words most are found and read right, as a rule all: by chance none is."""
    scores, first, last, _, _ = learnt
    assert all(last[name] < first[name] for name in last), (first, last)
    assert scores["hmean"] >= 50 and scores["end_to_end"] >= 50 and scores["n"] == 4, scores


def test_photographs_are_read_with_it(learnt):
    """`ocr read --spotter`: the words that are there, each in its place, whatever stands beside them."""
    import ocr

    folder = learnt[4]
    reader = ocr.load(spotter=folder / "spotter.safetensors", options=ocr.ReadingOptions(angle=0))
    right = []
    for number in range(4):
        picture, text = folder / "set" / "image" / f"{number}.png", tiny.word(number)
        words = reader.read(picture, language="none").words
        left, top = 2 + 5 * number % 20, 3 + 7 * number % 28
        if [word.text for word in words] == [text]:
            assert np.abs(words[0].quad.mean(0) - (left + 20, top + 15)).max() < 6
            assert reader.read(picture, lexicon=["hhhh", text]).text == text
            right.append(number)
    assert len(right) >= 2, right  # as a rule all; by chance none


def test_what_is_lost_at_a_lower_resolution_is_told(learnt):
    """Least at full size, where all was learnt; nothing where there is nothing to be read."""
    batch, folder = learnt[3:]
    weights = load_weights(folder / "spotter.safetensors")
    spotter = restore(weights, "spotter")
    for judge in (TextJudge(spotter, spotter), MapJudge(spotter)):
        lost = judge(batch.images[0], batch.regions[0], (0.2, 1.0))
        assert 0 <= lost[1] < 0.5 and lost[0] > 2 * lost[1], (judge, lost)
        assert not judge(batch.images[0], [replace(batch.regions[0][0], legible=False)], (0.2, 1.0)).any()


def test_reading_does_not_depend_on_batch_mates():
    """Regions of other widths beside it change nothing, in training and in reading."""
    model = tiny.lively(build(tiny.spotter("ctc"), 2))
    features = ops.array(np.random.default_rng(0).standard_normal((1, 8, 16, 16)).astype(np.float32))
    small = np.float32([[8, 8], [24, 8], [24, 24], [8, 24]])
    both, lengths = model.read(features, [[small, SLANTED]])
    alone, own = model.read(features, [[small]])
    assert lengths[0] == own[0] < lengths[1]
    np.testing.assert_allclose(both[: own[0], 0], alone[:, 0], atol=1e-4)


def test_a_batch_without_words_teaches_to_find():
    """Its texts have no weight; nothing breaks, and ranks whose photographs show no word keep in step."""
    task = task_of(build(tiny.spotter(), 1), tiny.config(tiny.spotter(), augment=False))
    image = np.zeros((1, 1, 64, 64), np.float32)
    targets = {name: np.float32(value)[None] for name, value in task.model.head.targets(2)((), 64, 64).items()}
    unread = Region(SLANTED, "abc", legible=False)
    batch = PhotoBatch(image, np.array([[64, 64]]), np.ones(1), [(unread,)], targets, ["one"])
    inputs, left_out = task.usable(batch)
    losses = {name: float(ops.numpy(value).sum()) for name, value in task.losses(inputs).items()}
    assert not left_out and losses["text"] == 0 and losses["shrink"] > 0


def test_the_same_words_are_read_on_whichever_rank(tmp_path):
    """Of many words those that a step reads follow from the step and the photograph."""
    config = Config(tiny.spotter(), tiny.config(tiny.spotter()).train, task=StageSpec("spotting", {"words": 2}))
    task = task_of(build(tiny.spotter(), 1), config)
    regions = tuple(Region(SLANTED + 2 * n, text, line=0) for n, text in enumerate(("ab", "cd", "ef", "gh")))
    image = np.zeros((1, 1, 64, 64), np.float32)
    batch = PhotoBatch(image, np.array([[64, 64]]), np.ones(1), [regions], {}, ["one"])
    seen = []
    for step in (1, 2, 3, 4, 1):
        task.before_step(step)
        seen.append(task.usable(batch)[0].words.targets.tolist())
    assert seen[0] == seen[4] and len({str(one) for one in seen}) > 1 and all(len(one) == 2 for one in seen)
