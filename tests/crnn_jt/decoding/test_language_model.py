"""The character model must prefer spellings it has seen and never forbid the others."""

import numpy as np
import pytest

from crnn_jt.decoding import ctc
from crnn_jt.decoding.language_model import CharacterLM


@pytest.mark.parametrize("prefix", [(), (1,), (3, 1), (2, 2, 2, 2, 2)])
def test_chances_sum_to_one_after_any_prefix(prefix):
    chances = np.exp(CharacterLM(["cab", "cat?", "a"], "abc").log_next(prefix))
    assert chances.sum() == pytest.approx(1.0)
    assert (chances > 0).all()


def test_seen_spellings_are_likelier():
    model = CharacterLM(["queen", "quick", "quiz"], "abcdefghijklmnopqrstuvwxyz")
    after_q = model.log_next([17])
    assert after_q.argmax() == 21  # u


def test_beam_search_with_the_model_reads_the_word_that_is_spelt():
    model = CharacterLM(["ab"] * 50, "abc")
    probabilities = np.full((3, 4), 0.02)
    probabilities[0, 1], probabilities[1, 0], probabilities[2, 2], probabilities[2, 3] = 0.9, 0.9, 0.40, 0.55
    log_probs = np.log(probabilities / probabilities.sum(axis=1, keepdims=True))
    assert ctc.beam_search(log_probs)[0].indices == (1, 3)
    assert ctc.beam_search(log_probs, language_model=model)[0].indices == (1, 2)
