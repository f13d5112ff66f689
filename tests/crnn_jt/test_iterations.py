"""Readings after each iteration of a corrector, and how certain they are."""

from __future__ import annotations

import numpy as np
import pytest

from crnn_jt.iterations import iterate, weigh
from crnn_jt.models import build
from tests.crnn_jt import tiny
from tests.crnn_jt.test_abinet import spec


def chances(*places: dict[int, float]) -> np.ndarray:
    """Log-probabilities (T', 1, K) of symbols by place; the rest is shared by all others."""
    found = np.empty((len(places), 1, 9))
    for row, own in zip(found, places):
        row[:] = (1 - sum(own.values())) / (9 - len(own))
        row[0, list(own)] = list(own.values())
    return np.log(found)


def test_certainty_is_the_least_over_the_characters_of_the_most_over_the_iterations():
    """By hand: the last iteration reads 3 4; each symbol, and the end, counts as the surest iteration has it."""
    generator = build(spec()).generator
    vision = chances({3: 0.99}, {4: 0.99}, {0: 0.99})  # not one of the iterations
    first = chances({3: 0.5}, {4: 0.95}, {0: 0.9})
    last = chances({3: 0.92}, {4: 0.6}, {0: 0.97})
    ((reading, certainty),) = weigh(generator, [vision, first, last], np.array([10]))
    assert reading.indices == (3, 4) and certainty == pytest.approx(0.92)
    unsure = chances({3: 0.92}, {4: 0.6}, {0: 0.7})
    assert weigh(generator, [vision, chances({3: 0.5}, {4: 0.95}, {0: 0.3}), unsure], np.array([10]))[0][
        1
    ] == pytest.approx(0.7)
    assert weigh(generator, [vision, chances({0: 0.99}, {0: 0.99}, {0: 0.99})], np.array([10]))[0][1] == 0.0


def test_without_a_corrector_vision_is_all_there_is():
    """Of CTC the least sure character; of a decoder its end too."""
    images, widths = tiny.pictures(), np.full(tiny.BATCH, 40)
    for generator in ("ctc", "attention"):
        model = tiny.lively(build(tiny.model(generator=generator)))
        log_probs, lengths = iterate(model, images, widths)
        assert len(log_probs) == 1
        for reading, certainty in weigh(model.generator, log_probs, lengths):
            assert certainty <= min(reading.character_confidences, default=0.0) + 1e-6  # float32


def test_the_last_iteration_is_what_is_read():
    images, widths = tiny.pictures(), np.full(tiny.BATCH, 40)
    model = tiny.lively(build(spec()))
    log_probs, _ = iterate(model, images, widths)
    assert len(log_probs) == 1 + model.corrector.iterations
    np.testing.assert_allclose(log_probs[-1], model.log_probs(images, widths)[0], rtol=1e-4, atol=1e-4)
    assert np.abs(log_probs[0] - log_probs[-1]).max() > 1e-3
