"""Training and reading on the kernels must be the training and reading of Jittor's own operators."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

if os.environ.get("CRNN_BACKEND", "jittor") != "jittor":
    pytest.skip("Jittor's kernels", allow_module_level=True)

from crnn_jt import backend, layers
from crnn_jt.backend import fast, ops
from crnn_jt.blocks import conv_unit, inverted_residual
from crnn_jt.models import Recognizer, build
from crnn_jt.reading import SequenceReader
from crnn_jt.registry import CORRECTORS
from crnn_jt.registry import EXTRACTORS as ALL_EXTRACTORS
from crnn_jt.spec import StageSpec
from crnn_jt.weights import Weights
from tests.crnn_jt.tiny import EXTRACTORS, FIXED, PROPORTIONAL, lively, model, pictures


def losses(spec, steps=4) -> list[float]:
    """The losses of a few steps of plain gradient descent; widths differ within the batch."""
    recognizer = build(spec, 3)
    recognizer.train()
    parameters = backend.parameters(recognizer)
    images, widths = pictures(), np.array([40, 32, 40, 24])
    targets, sizes = np.array([[1, 2], [3, 3], [4, 5], [6, 0]]), np.array([2, 2, 2, 1])
    found = []
    for _ in range(steps):
        loss = recognizer.losses(ops.array(images), widths, targets, sizes)["ctc"]
        gradients = backend.gradients(loss, list(parameters.values()))
        for parameter, gradient in zip(parameters.values(), gradients):
            backend.assign(parameter, parameter - 0.02 * gradient)
        found.append(float(ops.numpy(loss).sum()))
    return found


MOBILE = (
    *conv_unit(1, 8, stride=(2, 2), activation="hardswish"),
    *inverted_residual(8, 12, 20, (5, 5), (2, 1), "hardswish", gate=True),
    *inverted_residual(12, 12, 36, stride=(1, 1), activation="relu6"),
    *conv_unit(12, 18, (1, 1), padding=(0, 0), activation="hardswish"),
    layers.MaxPool((8, 2), (8, 2)),
)


@pytest.mark.parametrize("extractor", ["light", "vgg", "mobile"])
def test_the_loss_curve_is_the_plain_one(extractor, monkeypatch):
    spec = model(extractor="light" if extractor == "mobile" else extractor, image=PROPORTIONAL)
    if extractor == "mobile":
        spec = replace(spec, extractor=StageSpec("plan", {"plan": layers.to_values(MOBILE)}))
    with_kernels = losses(spec)
    monkeypatch.setattr(fast, "available", lambda: False)
    plain = losses(spec)
    assert plain[-1] < plain[0]
    np.testing.assert_allclose(with_kernels, plain, rtol=1e-4)


UNCOVERED = {"vgg_global"}
"""Extractors that the kernels refuse by name: channels as steps."""


@pytest.mark.parametrize("extractor", sorted(EXTRACTORS))
def test_frozen_models_read_as_plain_ones(extractor, monkeypatch):
    """What the kernels cover reads the same on them; what they do not is read without them."""
    fixed = not ALL_EXTRACTORS.get(extractor).sequence.open_width
    spec = model(extractor=extractor, image=FIXED if fixed else PROPORTIONAL)
    weights = Weights(backend.state(lively(Recognizer(spec))), spec)
    frozen = SequenceReader(weights, "tiny")
    assert (frozen.network is None) == (extractor in UNCOVERED)
    if frozen.network is None:
        return
    with_kernels = {width: frozen.log_probs(pictures(width=width))[0] for width in (24, 40)}
    monkeypatch.setattr(fast, "available", lambda: False)
    plain = SequenceReader(weights, "tiny")
    assert plain.network is None
    for width, found in with_kernels.items():
        expected = plain.log_probs(pictures(width=width))[0]
        assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


BY_PLACE = {
    "columns": {"image": PROPORTIONAL},
    "a grid": {"extractor": "resnet45", "image": FIXED},
}


@pytest.mark.parametrize("corrector", [None, "bcn"])
@pytest.mark.parametrize("way", BY_PLACE)
def test_models_that_read_all_places_at_once_are_frozen_whole(way, corrector, monkeypatch):
    """Transformer, position attention and the language loop: pictures of any width."""
    spec = model(generator="parallel", refiner="transformer", **BY_PLACE[way])
    if corrector:
        spec = replace(spec, corrector=StageSpec("bcn", CORRECTORS.get("bcn").tiny))
    weights = Weights(backend.state(lively(Recognizer(spec))), spec)
    frozen = SequenceReader(weights, "tiny")
    monkeypatch.setattr(fast, "available", lambda: False)
    plain = SequenceReader(weights, "tiny")
    assert frozen.network is not None and plain.network is None
    for width in (40,) if way == "a grid" else (24, 40):
        found, expected = (reader.log_probs(pictures(width=width))[0] for reader in (frozen, plain))
        assert found.shape == expected.shape and np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()
    words, rows = ["ab", "ba"], np.array([0, 1])
    scores = [reader.score(pictures(width=40), rows, words) for reader in (frozen, plain)]
    np.testing.assert_allclose(*scores, rtol=1e-4)


@pytest.mark.parametrize("generator", ["attention", "attention, gru"])
def test_decoders_with_attention_are_frozen_whole(generator, monkeypatch):
    """Symbol by symbol as the framework does it; an image's symbols are its own, and words are scored as before."""
    spec = model(generator=generator, image=PROPORTIONAL)
    weights = Weights(backend.state(lively(Recognizer(spec))), spec)
    frozen = SequenceReader(weights, "tiny")
    monkeypatch.setattr(fast, "available", lambda: False)
    plain = SequenceReader(weights, "tiny")
    monkeypatch.undo()
    images = pictures(width=40)
    found, expected = (reader.logits(images)[0] for reader in (frozen, plain))
    assert found.shape == expected.shape
    ended = np.cumsum(expected.argmax(2) == 0, 0) - (expected.argmax(2) == 0) > 0  # (T', N): after an image's end
    assert np.abs(found - expected)[~ended].max() <= 1e-4 * np.abs(expected).max()
    alone = frozen.logits(images[1:2])[0][:, 0]
    np.testing.assert_array_equal(alone, found[: len(alone), 1])
    words, rows = ["ab", "ba"], np.array([0, 1])
    np.testing.assert_allclose(*(reader.score(images, rows, words) for reader in (frozen, plain)), rtol=1e-4)
