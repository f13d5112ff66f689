"""A recogniser that tells capitals apart must not lose words to a lower-case lexicon."""

import numpy as np

from eval.words.folding import fold, fold_symbols


def test_forms_of_a_letter_add_up_and_punctuation_becomes_blank():
    probabilities = np.array([[[0.1, 0.2, 0.3, 0.15, 0.25]]])  # blank a A - b
    folded, lengths = fold(np.log(probabilities), np.array([1]), "aA-b")
    np.testing.assert_allclose(np.exp(folded), [[[0.25, 0.5, 0.25]]])
    assert lengths.tolist() == [1]
    assert fold_symbols("aA-b") == ["a", "b"]


def test_a_normalised_character_set_is_left_as_it_is():
    log_probs = np.log(np.full((2, 1, 3), 1 / 3, dtype=np.float32))
    assert fold(log_probs, np.array([2]), "ab")[0] is log_probs
    np.testing.assert_allclose(fold(log_probs, np.array([2]), "ba")[0], log_probs)
