"""Selectors of resolution: the hard choice and its slope, the schedule, and that they tell small text from large."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from crnn_jt import backend
from crnn_jt.backend import ops
from crnn_jt.choosing import ResolutionChooser
from crnn_jt.detecting import AUTOMATIC, Resolution
from crnn_jt.learner import Learner
from crnn_jt.models import build
from crnn_jt.models.selector import hard_gumbel
from crnn_jt.spec import Config, PhotoSpec, StageSpec, TrainSpec
from crnn_jt.tasks import task_of
from crnn_jt.weights import Weights
from data_tools.errors import UserError
from data_tools.loader import Loader
from data_tools.photos.scaling import rescale, resize
from data_tools.sample import Region, Sample
from tests.crnn_jt import tiny


class Stripes:
    """Photographs of one patch of stripes, coarse ones (even numbers) or fine ones, in any place and contrast."""

    def __init__(self, size: int, seed: int):
        self.size, self.seed = size, seed

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Sample:
        rng = np.random.default_rng((self.seed, index))
        pixels = np.full((64, 64), rng.integers(100, 156), np.uint8)
        (top, left), period = rng.integers(0, 24, 2), 8 if index % 2 == 0 else 2
        stripes = (np.arange(40) // (period // 2) % 2) * int(rng.integers(60, 100))
        pixels[top : top + 40, left : left + 40] = pixels[0, 0] - stripes + 20
        corners = np.float32([[left, top], [left + 40, top], [left + 40, top + 40], [left, top + 40]])
        return Sample(Image.fromarray(pixels), "", f"{self.seed}-{index}", regions=(Region(corners, "abc"),))


def blurred_away(image: np.ndarray, regions, scales) -> np.ndarray:
    """What stands in a region at each scale against what stands there: a judge that needs no learning."""
    (left, top), (right, bottom) = (regions[0].polygon[k].astype(int) for k in (0, 2))
    own = image[:, top:bottom, left:right]
    found = []
    for scale in scales:
        back = resize(rescale(image, scale), *image.shape[1:])[:, top:bottom, left:right]
        found.append(np.abs(back - own).mean() / np.abs(own - own.mean()).mean())
    return np.float32(found)


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    """A task that trains a selector of 0.5 or 1 of grey photographs of 64x64, judged by what is blurred away."""
    folder = tmp_path_factory.mktemp("selector")
    options = {"student": tiny.write_weights(folder / "student.safetensors", tiny.spotter("ctc")), "gamma": 0.9}
    options |= {"epoch": 4, "decay": 0.8}
    spec = replace(tiny.selector(), look=1.0, image=PhotoSpec(1, 64, 64))
    train = TrainSpec(batch_size=16, learning_rate=0.01, warmup=0, schedule="constant", ema=0.0, augment=False)
    made = task_of(build(spec, 1), Config(spec, train, task=StageSpec("selection", options)))
    made.judge = blurred_away
    return made


def chosen(task, data) -> list[int]:
    task.model.eval()
    (batch,) = Loader(data, task.collate(False), len(data)).batches()
    with backend.no_grad():
        return task.model.choose(batch.images).tolist()  # they are looked at whole


def test_it_takes_small_pictures_of_large_text_and_large_ones_of_small_text(task):
    """On photographs that it never saw, 28 of 32 at least as they should be: by chance that is one time in 100 000."""
    unseen = Stripes(32, seed=2)
    learner, batches = Learner(task, task.config.train), Loader(Stripes(16 * 50, seed=1), task.collate(True), 16)
    task.model.train()
    for step, batch in enumerate(batches.batches(), 1):
        task.before_step(step)
        learner.step(task.usable(batch)[0], 0.01, step)
    found = np.array(chosen(task, unseen))
    assert (found == [0, 1] * 16).sum() >= 28, found
    scores, examples = task.evaluate(Loader(unseen, task.collate(False), 16))
    cheap, dear = task.costs(64, 64)
    large = 100 * found.mean()  # percent
    assert scores["scale_0.5"] == pytest.approx(100 - large) and scores["scale_1"] == pytest.approx(large)
    assert scores["cost"] == pytest.approx((100 - large) * cheap + large * dear) and dear == 1 and 0.2 < cheap < 0.3
    assert len(examples) == found.sum()


def test_a_validation_judges_each_photograph_once(task, monkeypatch):
    """A spotter that looks at each of 200 scenes at six scales takes minutes: not at every validation."""
    judged = []

    def judge(image, regions, scales):
        judged.append(image.sum())
        return blurred_away(image, regions, scales)

    monkeypatch.setattr(task, "judge", judge)
    loader, other = (Loader(Stripes(6, seed), task.collate(False), 4) for seed in (7, 8))
    task.model.eval()
    assert task.evaluate(loader) == task.evaluate(loader) and len(judged) == 6
    task.evaluate(other)
    assert len(judged) == 12


def test_what_is_chosen_is_one_and_its_slope_that_of_the_soft_choice():
    """The value is 0 or 1, the largest of the noisy logits; the slope is the softmax's at the temperature."""
    rng, temperature = np.random.default_rng(0), 2.0
    logits, noise = rng.standard_normal((5, 3)).astype(np.float32), rng.gumbel(size=(5, 3)).astype(np.float32)
    given, towards = ops.array(logits), rng.standard_normal((5, 3)).astype(np.float32)
    if hasattr(given, "requires_grad_"):
        given.requires_grad_()
    found = hard_gumbel(given, noise, temperature)
    values = ops.numpy(found)
    assert (values.argmax(1) == (logits + noise).argmax(1)).all() and values.sum() == pytest.approx(5)
    (slope,) = backend.gradients((found * ops.array(towards)).sum(), [given])

    def soft(at):
        powers = np.exp((at + noise) / temperature)
        return (powers / powers.sum(1, keepdims=True) * towards).sum()

    for row, column in np.ndindex(5, 3):
        step = np.zeros((5, 3))
        step[row, column] = 1e-4
        wanted = (soft(logits + step) - soft(logits - step)) / 2e-4
        assert float(ops.numpy(slope)[row, column]) == pytest.approx(wanted, abs=1e-4)


def test_the_temperature_falls_by_the_published_schedule(task):
    """5 · 0.965^epoch, an epoch being so many steps; what a step draws follows from its number."""
    first = replace(task.config, task=StageSpec("selection", {**task.config.task.options, "decay": 0.965}))
    made = task_of(task.model, first)
    made.judge = blurred_away
    (batch,) = Loader(Stripes(4, 3), made.collate(False), 4).batches()
    temperatures, noises = [], []
    for step in (1, 4, 5, 9, 5):
        made.before_step(step)
        temperatures.append(made.temperature)
        noises.append(made.usable(batch)[0].noise)
    assert temperatures == pytest.approx([5, 5, 5 * 0.965, 5 * 0.965**2, 5 * 0.965])
    assert np.array_equal(noises[2], noises[4]) and not np.array_equal(noises[1], noises[2])


def test_it_chooses_a_factor_of_what_would_be_looked_at(task):
    """A scale of 0.5 is half of the size at which the photograph would be looked at, not of its own."""
    chooser = ResolutionChooser(Weights(backend.state(task.model), task.model.spec), "selector")
    photograph = Stripes(1, 2)[0].image.resize((2560, 2560))
    number = chosen(task, Stripes(1, 2))[0]
    found = chooser.choose(photograph, replace(AUTOMATIC, longest=64))
    assert found == Resolution(64 / 2560 * task.model.spec.scales[number])


@pytest.mark.skipif(backend.NAME != "jittor", reason="Jittor only: the kernels are its")
def test_the_kernels_choose_what_the_framework_chooses():
    """Of photographs of any size, by logits that are the same."""
    model = tiny.lively(build(tiny.selector(0.3, 0.5, 1.0), 2))
    weights = Weights(backend.state(model), model.spec)
    frozen, plain = ResolutionChooser(weights, "tiny"), ResolutionChooser(weights, "tiny", fast=False)
    assert frozen.network is not None and plain.network is None
    for number, size in enumerate([(64, 64), (96, 70), (200, 41)]):
        image = Stripes(4, 5)[number].image.resize(size)
        assert frozen.choose(image, AUTOMATIC) == plain.choose(image, AUTOMATIC)
    looks = np.random.default_rng(0).uniform(-1, 1, (3, 1, 32, 40)).astype(np.float32)
    with backend.no_grad():
        logits = ops.numpy(model(ops.array(looks)))
    np.testing.assert_allclose(frozen.network.run(looks)[:, :, 0, 0], logits, atol=2e-5 * np.abs(logits).max())


def test_models_that_do_not_go_together_are_refused(task, tmp_path):
    student = tiny.write_weights(tmp_path / "student.safetensors", tiny.detector())
    colour = replace(task.model.spec, image=PhotoSpec(3, 64, 64))
    config = replace(task.config, model=colour, task=StageSpec("selection", {"student": student}))
    with pytest.raises(UserError, match="sees 1 channels, the selector 3"):
        task_of(build(colour, 1), config)
    with pytest.raises(UserError, match="name the weights of its student"):
        task_of(task.model, replace(task.config, task=StageSpec("selection")))
