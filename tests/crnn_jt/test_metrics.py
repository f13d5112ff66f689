"""Figures that people compare with papers must be counted as the papers count."""

import numpy as np
import pytest

from crnn_jt import metrics


def test_word_scores_follow_their_definitions():
    scores = metrics.word_scores(["abc", "abd", "", "xyz1"], ["abc", "abc", "ab", "xyz"])
    assert scores["n"] == 4
    assert scores["accuracy"] == 25.0
    assert scores["ned"] == pytest.approx(100 * (1 + 2 / 3 + 0 + 3 / 4) / 4)
    assert scores["cer"] == pytest.approx(100 * (0 + 1 + 2 + 1) / (3 + 3 + 2 + 3))


def test_symbols_are_compared_whole_not_by_letter():
    scores = metrics.sequence_scores([["note-C4_quarter", "barline"]], [["note-D4_quarter", "barline"]])
    assert scores == {"n": 1, "sequence_accuracy": 0.0, "ser": 50.0}


def test_empty_readings_and_empty_sets_do_not_divide_by_zero():
    assert metrics.word_scores([], []) == {"n": 0, "accuracy": 0.0, "ned": 0.0, "cer": 0.0}
    assert metrics.word_scores([""], [""])["ned"] == 100.0
    assert metrics.bootstrap(metrics.count([], []))["accuracy"] == (0.0, 0.0)


def test_a_lost_reading_is_an_error_not_a_shorter_list():
    with pytest.raises(ValueError, match="1 readings for 2"):
        metrics.count(["a"], ["a", "b"])


def test_interval_contains_the_figure_and_narrows_with_more_images():
    rng = np.random.default_rng(0)
    widths = []
    for size in (50, 1000):
        readings = ["a" if hit else "b" for hit in rng.random(size) < 0.8]
        counts = metrics.count(readings, ["a"] * size)
        low, high = metrics.bootstrap(counts)["accuracy"]
        assert low <= metrics.accuracy(counts) <= high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2
    assert 100 * 2 * 1.96 * np.sqrt(0.8 * 0.2 / 1000) == pytest.approx(widths[1], rel=0.2)


def test_interval_is_the_same_every_time():
    counts = metrics.count(["a", "b", "c"], ["a", "b", "d"])
    assert metrics.bootstrap(counts) == metrics.bootstrap(counts)


def test_calibration_error_is_the_gap_between_confidence_and_accuracy():
    assert metrics.expected_calibration_error([0.9] * 10, [True] * 9 + [False]) == pytest.approx(0.0, abs=1e-9)
    assert metrics.expected_calibration_error([1.0] * 10, [True] * 5 + [False] * 5) == pytest.approx(50.0)
    assert metrics.expected_calibration_error([], []) == 0.0


def test_a_power_makes_an_overconfident_reader_honest():
    rng = np.random.default_rng(0)
    chance = rng.random(20000)
    correct = rng.random(20000) < chance
    overconfident = chance ** (1 / 3)
    power = metrics.confidence_power(overconfident, correct)
    assert power == pytest.approx(3, rel=0.05)
    assert metrics.expected_calibration_error(overconfident, correct) > 15
    assert metrics.expected_calibration_error(overconfident**power, correct) < 2


def test_nothing_to_learn_from_leaves_the_confidence_as_it_is():
    assert metrics.confidence_power([], []) == 1.0
    assert metrics.confidence_power([0.5, 0.9], [True, True]) == 1.0
