"""CTC reading against the enumeration of every path: a wrong sum reads wrong words with a straight face."""

import numpy as np
import pytest

from crnn_jt.decoding import ctc
from tests.oracle.ctc import labelings


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def random_log_probs(shape, seed=0, sharpness=1.0):
    return log_softmax(sharpness * np.random.default_rng(seed).normal(size=shape))


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_forward_scores_are_the_sums_over_all_paths(steps):
    log_probs = random_log_probs((steps, 4), seed=steps)
    truth = labelings(np.exp(log_probs))
    scores = ctc.forward_scores(log_probs, *ctc.pad(list(truth)))
    np.testing.assert_allclose(np.exp(scores), list(truth.values()), rtol=1e-12)
    assert np.exp(scores).sum() == pytest.approx(1.0)


def test_batch_scores_take_each_image_to_its_own_length():
    log_probs, lengths = random_log_probs((6, 3, 4)), [6, 2, 4]
    words, sizes = ctc.pad([(1,), (2, 2), (), (3, 1)])
    rows = np.repeat(np.arange(3), 4)
    scores = ctc.batch_forward_scores(log_probs, lengths, rows, np.tile(words, (3, 1)), np.tile(sizes, 3))
    for image, steps in enumerate(lengths):
        alone = ctc.forward_scores(log_probs[:steps, image], words, sizes)
        np.testing.assert_allclose(scores[4 * image : 4 * image + 4], alone)
    assert scores[5] == -np.inf  # two equal letters do not fit in two steps


def test_scores_too_small_for_floats_stay_exact():
    log_probs = np.full((40, 3), -60.0)
    log_probs[:, 0] = 0.0
    word = [1, 2] * 20
    assert ctc.forward_scores(log_probs, *ctc.pad([word]))[0] == pytest.approx(-2400.0)


@pytest.mark.parametrize(
    "target, steps, possible", [((), 0, True), ((1, 2), 2, True), ((1, 1), 2, False), ((1, 1), 3, True)]
)
def test_feasibility_counts_the_blank_between_repeats(target, steps, possible):
    assert ctc.feasible(target, steps) is possible
    if steps:
        assert bool(np.isfinite(ctc.forward_scores(random_log_probs((steps, 3)), *ctc.pad([target]))[0])) is possible


def test_greedy_collapses_and_says_how_sure_it_is():
    probabilities = np.full((6, 1, 3), 0.05)
    for t, k in enumerate([1, 1, 0, 1, 2, 0]):
        probabilities[t, 0, k] = 0.9
    (reading,) = ctc.greedy(np.log(probabilities))
    assert reading.indices == (1, 1, 2)
    assert reading.character_confidences == pytest.approx((0.9, 0.9, 0.9))
    assert reading.confidence == pytest.approx(labelings(probabilities[:, 0])[(1, 1, 2)])


def test_greedy_ignores_what_lies_behind_an_image():
    log_probs = random_log_probs((8, 2, 5), sharpness=4.0)
    padded, alone = ctc.greedy(log_probs, [8, 3])[1], ctc.greedy(log_probs[:3, 1:])[0]
    assert padded.indices == alone.indices
    assert padded.confidence == pytest.approx(alone.confidence)


def test_an_image_without_steps_reads_as_nothing():
    assert ctc.greedy(np.zeros((0, 1, 4))) == [ctc.Reading((), 1.0, ())]
    assert ctc.greedy(random_log_probs((3, 1, 4)), [0])[0].indices == ()


def test_wide_beam_finds_the_likeliest_readings_in_order():
    log_probs = random_log_probs((5, 4), seed=3)
    truth = sorted(labelings(np.exp(log_probs)).items(), key=lambda item: -item[1])
    readings = ctc.beam_search(log_probs, width=100)
    assert [r.indices for r in readings[:5]] == [word for word, _ in truth[:5]]
    assert readings[0].confidence == pytest.approx(truth[0][1])


def test_language_model_decides_between_equal_readings():
    class Fond:
        def log_next(self, prefix):
            return np.log([0.2, 0.1, 0.7])

    log_probs = np.log(np.tile([0.02, 0.49, 0.49], (1, 1)))
    assert ctc.beam_search(log_probs, language_model=Fond())[0].indices == (2,)
