"""The composition: right by an independent oracle, whatever the stages, and the same whatever the batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crnn_jt.backend import no_grad, ops, state
from crnn_jt.models import build
from crnn_jt.spec import ImageSpec, StageSpec
from data_tools.errors import UserError
from tests.crnn_jt import tiny
from tests.oracle.crnn import attend, crnn


def forward(recognizer, images, widths=None):
    widths = np.full(len(images), images.shape[3]) if widths is None else np.asarray(widths)
    with no_grad():
        logits, lengths = recognizer(ops.array(images), widths)
        return ops.numpy(logits), lengths


def test_the_crnn_is_the_papers():
    """VGG, two BiLSTMs and CTC against a numpy re-statement of the paper's table."""
    recognizer = tiny.lively(build(tiny.model("vgg")))
    logits, lengths = forward(recognizer, tiny.pictures())
    expected = crnn(tiny.pictures(), state(recognizer))
    assert logits.shape == expected.shape == (11, tiny.BATCH, 9) and lengths.tolist() == [11] * 4
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)


def test_attention_is_additive_with_feedback():
    """Without the tanh or the previous symbol every step would see the same context (the original code's mistake)."""
    recognizer = tiny.lively(build(tiny.model(generator="attention")))
    targets = np.array([[1, 2, 3, 4], [5, 6, 0, 0], [7, 0, 0, 0], [8, 8, 2, 0]])
    lengths = np.array([10, 7, 5, 10])
    sequence = np.random.default_rng(1).standard_normal((10, 4, 16)).astype(np.float32)
    with no_grad():
        logits = ops.numpy(recognizer.generator.force(ops.array(sequence), lengths, targets))
    for n in range(4):
        expected = attend(sequence[:, n], lengths[n], state(recognizer), targets[n].tolist())
        np.testing.assert_allclose(logits[:, n], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("generator", tiny.GENERATORS)
@pytest.mark.parametrize("extractor", ["light", "vgg", "resnet15"])
def test_an_image_reads_the_same_alone_and_beside_wider_ones(extractor, generator):
    """Padding and batch mates must not change what is read from an image (masks, lengths, attention)."""
    recognizer = tiny.lively(build(tiny.model(extractor, generator=generator, image=tiny.PROPORTIONAL)))
    images = tiny.pictures(width=48)
    widths = np.array([48, 24, 40, 32])
    for image, width in zip(images, widths):
        image[:, :, width:] = 0
    together, lengths = forward(recognizer, images, widths)
    texts = recognizer.generator.decode(*recognizer.log_probs(images, widths))
    for n in (1, 2):
        own = np.repeat(images[n : n + 1, :, :, : widths[n]], tiny.BATCH, 0)
        alone, own_lengths = forward(recognizer, own)
        steps = min(own_lengths[0], len(alone), len(together)) if recognizer.generator.framewise else 1
        assert lengths[n] == own_lengths[0]
        np.testing.assert_allclose(together[:steps, n], alone[:steps, 0], rtol=1e-4, atol=1e-4)
        readings = recognizer.generator.decode(*recognizer.log_probs(own, np.full(tiny.BATCH, widths[n])))
        assert texts[n].indices == readings[0].indices
        assert texts[n].confidence == pytest.approx(readings[0].confidence, rel=1e-3)


def test_what_is_drawn_behind_an_image_does_not_matter():
    """Whatever stands in the padded columns, the logits stay."""
    recognizer = tiny.lively(build(tiny.model("resnet15", image=tiny.PROPORTIONAL)))
    images, widths = tiny.pictures(width=48), np.array([48, 24, 40, 32])
    other = images.copy()
    for image, width in zip(other, widths):
        image[:, :, width:] = 7
    first, lengths = forward(recognizer, images, widths)
    second, _ = forward(recognizer, other, widths)
    for n, length in enumerate(lengths):
        np.testing.assert_allclose(first[:length, n], second[:length, n], rtol=1e-5, atol=1e-5)


def test_padded_columns_do_not_spoil_the_statistics():
    """What padded columns hold before a maximum (-1e30) must not reach the mean and variance of a norm in training."""
    recognizer = build(tiny.model("resnet15", image=tiny.PROPORTIONAL))
    recognizer.train()
    forward(recognizer, tiny.pictures(width=48), [48, 24, 40, 32])
    for name, value in state(recognizer).items():
        assert np.abs(value).max() < 1e3, name


@pytest.mark.parametrize("refiner", tiny.REFINERS)
@pytest.mark.parametrize("extractor", tiny.EXTRACTORS)
def test_any_extractor_goes_with_any_refiner(extractor, refiner):
    """Shapes fit; the step count is the one said before anything is computed."""
    recognizer = build(tiny.model(extractor, refiner))
    recognizer.eval()
    logits, lengths = forward(recognizer, tiny.pictures())
    assert logits.shape == (int(lengths[0]), tiny.BATCH, 9)
    assert lengths.tolist() == recognizer.steps(np.full(tiny.BATCH, 40)).tolist()


@pytest.mark.parametrize("generator", ["attention", "encoder_decoder"])
def test_decoders_read_images_alone(generator):
    """Free running needs no label; the end symbol or the longest label ends it, and its log-probabilities are those
    that scoring its own text finds.
    """
    recognizer = tiny.lively(build(tiny.model(generator=generator)))
    images, widths = tiny.pictures(), np.full(tiny.BATCH, 40)
    log_probs, lengths = recognizer.log_probs(images, widths)
    assert len(log_probs) <= 5
    readings = recognizer.generator.decode(log_probs, lengths)
    assert all(len(reading.indices) <= 4 for reading in readings)
    with no_grad():
        sequence, lengths = recognizer.sequence(ops.array(images), widths)
        words = [list(reading.indices) or [1] for reading in readings]
        scores = recognizer.generator.score(sequence, lengths, words)
    for reading, score in zip(readings, scores):
        if 0 < len(reading.indices) < 4:
            assert reading.confidence == pytest.approx(float(np.exp(score)), rel=1e-3)


def test_the_same_seed_gives_the_same_weights():
    """A run can be repeated; another seed differs."""
    first, second, third = (state(build(tiny.model(), seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(first[key], second[key]) for key in first)
    assert any(not np.array_equal(first[key], third[key]) for key in first)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            tiny.model(max_length=11),
            "extractor light gives 10 steps, too few for ctc and labels of 11; widen the image",
        ),
        (tiny.model("vgg", image=ImageSpec(1, 15, 40)), "extractor vgg: nothing is left of an image of 15x40"),
        (tiny.model("light", image=ImageSpec(1, 7, 40)), "height 7 is too small"),
        (
            tiny.model("vgg_global", image=tiny.PROPORTIONAL),
            "takes images of one width only; set image.resize to fixed",
        ),
        (replace(tiny.model(), extractor=StageSpec("vgg16")), "extractor: no 'vgg16'"),
    ],
)
def test_what_cannot_work_says_why(spec, said):
    """Combinations are checked when they are built, not after an hour of training."""
    with pytest.raises(UserError, match=said):
        build(spec)


def test_colour_and_other_heights():
    """Three channels and height 48 work as grey and 32 do."""
    recognizer = build(tiny.model(image=ImageSpec(3, 48, 40)))
    recognizer.eval()
    images = np.zeros((tiny.BATCH, 3, 48, 40), np.float32)
    assert forward(recognizer, images)[0].shape == (10, tiny.BATCH, 9)
