"""The CTC loss of the kernels against its definition: the sum over every alignment."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from crnn_jt.backend import NAME, gradients, ops
from tests.oracle.slopes import slope

pytestmark = pytest.mark.skipif(NAME != "jittor", reason="the kernels are Jittor's")

LENGTHS, SIZES = np.array([5, 3, 4, 5]), np.array([2, 2, 0, 1])
TARGETS = np.array([[1, 2], [3, 3], [0, 0], [18, 0]])  # a symbol twice needs a blank between; no symbol; the last class
CLASSES = 19  # no whole vectors


def collapsed(path):
    return [k for k, _ in itertools.groupby(path) if k]


def defined(logits):
    """-log p by adding up all alignments of the classes that matter, and its gradient by central differences."""

    def loss(logits, n):
        log_probs = logits - np.log(np.exp(logits).sum(2, keepdims=True))
        label = list(TARGETS[n, : SIZES[n]])
        paths = itertools.product(sorted({0, *label}), repeat=LENGTHS[n])
        fitting = [path for path in paths if collapsed(path) == label]
        return -np.log(sum(np.exp(log_probs[range(LENGTHS[n]), n, path].sum()) for path in fitting))

    found = np.array([loss(logits, n) for n in range(4)])
    gradient = np.zeros_like(logits)
    for place in np.ndindex(logits.shape):
        if place[0] < LENGTHS[place[1]] and place[2] in (0, 1, 2, 3, 7, 18):
            along = np.zeros_like(logits)
            along[place] = 1
            gradient[place] = slope(lambda moved, n=place[1]: loss(moved, n), [logits], 0, along, 1e-5)
    return found, gradient


def measured(logits, weights=(1, 1, 1, 1)):
    given = ops.array(logits)
    loss = ops.ctc_loss(given, TARGETS, LENGTHS, SIZES)
    (gradient,) = gradients((loss * ops.array(np.array(weights, np.float32))).sum(), [given])
    return ops.numpy(loss), ops.numpy(gradient)


def test_loss_and_gradient_are_those_of_the_definition():
    """Repeats, empty labels, lengths that differ, classes that fill no vector."""
    logits = np.random.default_rng(0).normal(0, 2, (5, 4, CLASSES))
    (loss, gradient), (own, slopes) = measured(logits), defined(logits)
    np.testing.assert_allclose(loss, own, rtol=1e-5)
    np.testing.assert_allclose(gradient[..., [0, 1, 2, 3, 7, 18]], slopes[..., [0, 1, 2, 3, 7, 18]], atol=2e-5)
    np.testing.assert_allclose(gradient.sum(2), 0, atol=1e-5)
    assert not gradient[3:, 1].any(), "after a sample's own length nothing is learned"


def test_each_sample_s_gradient_has_its_own_weight():
    logits = np.random.default_rng(1).normal(0, 1, (5, 4, CLASSES))
    _, gradient = measured(logits)
    _, weighted = measured(logits, (0.5, 0, 2, 1))
    np.testing.assert_allclose(weighted, gradient * np.array([0.5, 0, 2, 1])[:, None], rtol=1e-5, atol=1e-7)


def test_certain_readings_neither_overflow_nor_vanish():
    """A trained model's logits: steps that are sure of something else, by far."""
    logits = np.full((5, 4, CLASSES), -300.0)
    logits[:, :, 5] = 300
    loss, gradient = measured(logits)
    alignments = np.array([35, 1, 1, 15])  # of label and steps, each as unlikely as the others
    np.testing.assert_allclose(loss, 600 * LENGTHS - np.log(alignments), rtol=1e-6)
    assert np.isfinite(gradient).all() and gradient[0, 0, 5] == pytest.approx(1)


def test_a_label_that_the_steps_cannot_hold_is_infinitely_unlikely():
    """And teaches nothing, where a number would mislead."""
    given = ops.array(np.zeros((2, 4, CLASSES)))
    loss = ops.ctc_loss(given, TARGETS, np.array([2, 2, 1, 1]), SIZES)
    assert np.isinf(ops.numpy(loss)).tolist() == [False, True, False, False]
    (gradient,) = gradients(loss.sum(), [given])
    assert not ops.numpy(gradient)[:, 1].any()
