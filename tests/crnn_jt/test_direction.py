"""Classifiers of direction: what comes as a configuration, what is learnt from, and that it is learnt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from crnn_jt.backend import NAME, ops, state
from crnn_jt.directing import DirectionReader, TogetherWithReader
from crnn_jt.extractors.mobilenet import MobileNetV3
from crnn_jt.learner import Learner
from crnn_jt.models import build, construct
from crnn_jt.reading import Prediction, load
from crnn_jt.spec import Config, StageSpec, TrainSpec, from_dict, load_config, to_dict
from crnn_jt.tasks import task_of
from crnn_jt.weights import BUNDLED, Weights
from data_tools.augmentations import MIXES, Augmentations
from data_tools.errors import UserError
from data_tools.loader.turned import Turn, Turned, cut_part
from data_tools.sample import Sample
from data_tools.transforms import ResizeFixed
from tests.crnn_jt import tiny


@pytest.mark.parametrize("name", ["direction", "direction-light"])
def test_what_comes_as_a_configuration_can_be_built(name):
    """Half a million parameters are a megabyte of float16, no more may ship."""
    config = load_config(name)
    assert from_dict(Config, to_dict(config)) == config
    model = construct(config.model)
    sizes = [np.prod(shape) for layer in model.named_layers().values() for shape in layer.arrays().values()]
    assert sum(sizes) < 5e5 and model.cost() > 1e6


def test_pictures_are_turned_and_short_words_are_not_judged():
    """Half of them stand on their head; who could say of "I"?"""
    picture = Image.new("L", (40, 32), 255)
    picture.paste(0, (0, 0, 40, 8))
    collate = Turn(ResizeFixed(32, 40))
    records = [collate.record(Sample(picture, "word", "k"), np.random.default_rng(n)) for n in range(20)]
    turned = [record["pixels"][0, 0, 0] == 255 for record in records]
    assert [int(record["turn"]) for record in records] == turned and 4 < sum(turned) < 16
    assert collate.record(Sample(picture, "I!", "k"), np.random.default_rng(0))["turn"] == -1
    assert len(collate.batch([])) == 0


def test_of_a_long_line_parts_are_looked_at_and_not_squeezed():
    """Learnt from at any place; judged by all three of its parts, here each of another grey."""
    transform = ResizeFixed(32, 40)
    line = Image.new("L", (180, 32))
    for place, grey in ((0, 10), (60, 100), (120, 200)):
        line.paste(grey, (place, 0, place + 60, 32))
    seen = {cut_part(line, transform, place).getpixel((30, 5)) for place in (0.0, 0.5, 1.0)}
    assert seen == {10, 100, 200} and cut_part(line, transform, 0.3).size == (60, 32)
    records = [Turn(transform).record(Sample(line, "word", "k"), np.random.default_rng(n)) for n in range(20)]
    assert len({int(record["pixels"].mean()) for record in records}) > 5
    word = line.crop((0, 0, 60, 32))
    assert cut_part(word, transform, 0.7) is word


def test_the_unsure_are_looked_at_turned_round():
    """By a network that cannot tell, both judgements cancel: a half. A sure one is asked once."""
    reader = DirectionReader(Weights(state(tiny.lively(build(tiny.direction(), 0))), tiny.direction(), {}), "tiny")
    asked = []

    def look(images, odds):
        asked.append(len(images))
        chance = 1 / (1 + np.exp(-odds))
        return np.float32([[1 - chance, chance]] * len(images))

    pictures = [tiny.draw("abcd"), tiny.draw("ba", (180, 32))]
    for odds, looks, expected in ((0.5, [4, 4], 0.5), (5.0, [4], 1 / (1 + np.exp(-5.0)))):
        reader._look = lambda images, odds=odds: look(images, odds)
        np.testing.assert_allclose(reader.overturned(pictures), expected, atol=1e-3)
        assert asked == looks
        asked.clear()


class Judge:
    """Of the same opinion on every picture."""

    def __init__(self, chance: float):
        self.chance = chance

    def overturned(self, images) -> np.ndarray:
        return np.full(len(images), self.chance, np.float32)


def test_what_a_classifier_doubts_is_read_both_ways():
    """One that can tell nothing leaves it to the recogniser, which finds all bundled words that stand on their head."""
    words = [Image.open(path) for path in sorted((BUNDLED / "images").glob("*.png"))[:4]]
    together = TogetherWithReader(Judge(0.5), load("crnn-light"))
    assert (together.overturned(words) < 0.5).all()
    assert (together.overturned([np.rot90(np.asarray(word), 2) for word in words]) > 0.5).all()


@pytest.mark.parametrize("chance, asked", [(0.8, 2), (0.99, 0), (0.01, 0), (0.0, 0)])
def test_both_judgements_are_joined_and_a_sure_one_stands(chance, asked):
    """A reading four times as probable turned round makes odds of 4 to 1 for it 16 to 1."""
    seen = []

    class Recogniser:
        def read(self, images, *, language):
            seen.extend(images)
            return [Prediction("ab", confidence, "ab") for confidence in (0.2, 0.8)]

    [found] = TogetherWithReader(Judge(chance), Recogniser()).overturned([tiny.draw("abcd")])
    assert len(seen) == asked and found == pytest.approx(16 / 17 if asked else chance, abs=1e-3)
    assert TogetherWithReader(Judge(0.5), Recogniser()).overturned([]).shape == (0,)


@pytest.mark.skipif(NAME != "jittor", reason="Jittor only: the kernels are its")
@pytest.mark.parametrize("stage", [tiny.direction().extractor, StageSpec("mobilenet_v3", MobileNetV3.tiny)])
def test_the_kernels_judge_as_the_framework_does(stage):
    spec = replace(tiny.direction(), extractor=stage)
    weights = Weights(state(tiny.lively(build(spec, 0))), spec, {})
    frozen, plain = DirectionReader(weights, "tiny"), DirectionReader(weights, "tiny", fast=False)
    assert frozen.network is not None and plain.network is None
    words = [tiny.draw("abcd"), tiny.draw("ba")]
    np.testing.assert_allclose(frozen.overturned(words), plain.overturned(words), atol=1e-4)


def test_what_is_upright_is_learnt():
    """Words with a line above them, to be told from words with a line below, after a few steps."""
    spec = tiny.direction()
    config = Config(spec, TrainSpec(weight_decay=0.0, ema=0.0))
    model = build(spec, 0)
    task = task_of(model, config)
    learner = Learner(task, config.train)
    picture = tiny.draw("abcd")
    picture.paste(0, (0, 2, 40, 5))
    collate = task.collate(True)
    model.train()
    for number in range(1, 31):
        rng = np.random.default_rng(number)
        batch = collate.batch([collate.record(Sample(picture, "abcd", "k"), rng) for _ in range(tiny.BATCH)])
        learner.step(task.usable(batch)[0], 0.003, number)
    reader = DirectionReader(Weights(state(model), spec, {}), "tiny")
    upright, overturned = reader.overturned([picture, picture.transpose(Image.Transpose.ROTATE_180)])
    assert upright < 0.3 and overturned > 0.7
    assert reader.overturned([]).shape == (0,)
    with pytest.raises(UserError, match="not a direction"):
        DirectionReader(Weights({}, tiny.model(), {}), "words")


def mixing(*names: str) -> Config:
    return Config(tiny.direction(), tiny.config(augmentations=names).train)


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_mixed_pictures_teach_both_classes_by_their_shares(name):
    """The same at a step however often it is asked, so that a resumed run repeats it; judging mixes nothing."""
    model = build(tiny.direction(), 0)
    task = task_of(model, mixing(name))
    turned = Turned(tiny.pictures(), np.array([0, 1, 1, 0]), ["k"] * tiny.BATCH)
    model.eval()
    found = []
    for step in (1, 2, 1):
        task.before_step(step)
        found.append(float(ops.numpy(task.losses(turned)["entropy"]).sum()))
    assert found[0] == found[2] != found[1]
    mixed = MIXES[name](turned.images, np.random.default_rng((0, 1, 0)))
    own, other = (
        float(ops.numpy(model.losses(ops.array(mixed.images), turns)["entropy"]).sum())
        for turns in (turned.turns, turned.turns[mixed.partners])
    )
    assert found[0] == pytest.approx(own * mixed.share + other * (1 - mixed.share), rel=1e-5)
    assert task.collate(True).augment is None


def test_augmentations_are_those_that_a_task_can_have():
    """A mixture of two lines has no text; two ways of mixing at once are none of the papers'."""
    words = Config(tiny.model(), tiny.config(augmentations=("bda", "tia")).train)
    assert task_of(build(words.model), words).collate(True).augment == Augmentations(("bda", "tia"))
    assert task_of(build(words.model), words).collate(False).augment is None
    assert task_of(build(words.model), tiny.config()).collate(True).augment is None, "what is rendered stays as it is"
    both = task_of(build(tiny.direction()), mixing("bda", "cutmix"))
    assert both.collate(True).augment == Augmentations(("bda",)) and len(both.mixes) == 1
    for spec, names, message in (
        (tiny.model(), ("mixup",), "mixup: this task does not take it; it takes: bda, tia"),
        (tiny.model(), ("cutpaste",), "train.augmentations: cutpaste: this task does not take it; it takes: bda"),
        (tiny.detector(), ("bda",), "bda: this task does not take it; it takes: none"),
        (tiny.direction(), ("mixup", "cutmix"), "name one of mixup, cutmix"),
    ):
        with pytest.raises(UserError, match=message):
            task_of(build(spec), Config(spec, tiny.config(augmentations=names).train))
