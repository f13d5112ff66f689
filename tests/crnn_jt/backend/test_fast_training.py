"""Training and reading on the kernels must be the training and reading of Jittor's own operators."""

from __future__ import annotations

import os

import numpy as np
import pytest

if os.environ.get("CRNN_BACKEND", "jittor") != "jittor":
    pytest.skip("Jittor's kernels", allow_module_level=True)

from crnn_jt import backend
from crnn_jt.backend import fast, ops
from crnn_jt.reading import SequenceReader
from crnn_jt.recognizer import Recognizer, build
from crnn_jt.weights import Weights
from tests.crnn_jt.tiny import EXTRACTORS, PROPORTIONAL, lively, model, pictures


def losses(spec, steps=4) -> list[float]:
    """The losses of a few steps of plain gradient descent; widths differ within the batch."""
    recognizer = build(spec, 3)
    recognizer.train()
    parameters = backend.parameters(recognizer)
    images, widths = pictures(), np.array([40, 32, 40, 24])
    targets, sizes = np.array([[1, 2], [3, 3], [4, 5], [6, 0]]), np.array([2, 2, 2, 1])
    found = []
    for _ in range(steps):
        logits, lengths = recognizer(ops.array(images), widths)
        loss = recognizer.generator.loss(logits, targets, sizes, lengths)
        gradients = backend.gradients(loss, list(parameters.values()))
        for parameter, gradient in zip(parameters.values(), gradients):
            backend.assign(parameter, parameter - 0.02 * gradient)
        found.append(float(ops.numpy(loss).sum()))
    return found


@pytest.mark.parametrize("extractor", ["light", "vgg"])
def test_the_loss_curve_is_the_plain_one(extractor, monkeypatch):
    spec = model(extractor=extractor, image=PROPORTIONAL)
    with_kernels = losses(spec)
    monkeypatch.setattr(fast, "available", lambda: False)
    plain = losses(spec)
    assert plain[-1] < plain[0]
    np.testing.assert_allclose(with_kernels, plain, rtol=1e-4)


@pytest.mark.parametrize("extractor", sorted(set(EXTRACTORS) - {"vgg_global"}))
def test_frozen_models_read_as_plain_ones(extractor, monkeypatch):
    spec = model(extractor=extractor, image=PROPORTIONAL)
    weights = Weights(backend.state(lively(Recognizer(spec))), spec)
    frozen = SequenceReader(weights, "tiny")
    assert frozen.network is not None
    with_kernels = {width: frozen.log_probs(pictures(width=width))[0] for width in (24, 40)}
    monkeypatch.setattr(fast, "available", lambda: False)
    plain = SequenceReader(weights, "tiny")
    assert plain.network is None
    for width, found in with_kernels.items():
        expected = plain.log_probs(pictures(width=width))[0]
        assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()
        np.testing.assert_array_equal(found.argmax(2), expected.argmax(2))
