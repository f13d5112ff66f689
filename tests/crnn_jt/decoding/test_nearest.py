"""All searches must give rapidfuzz's brute-force candidates: a candidate lost is a word that can never be read."""

import numpy as np
import pytest
from rapidfuzz.distance import Levenshtein

from crnn_jt.decoding.lexicon import METHODS, Lexicon

LETTERS = "abcde"


def random_words(count, seed, longest=9):
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list(LETTERS), rng.integers(1, longest + 1))) for _ in range(count)]


WORDS = list(dict.fromkeys(random_words(1500, seed=0)))
QUERIES = ["", "a", "abc", "xyz", "edcbaedcba", *random_words(20, seed=1, longest=12)]


@pytest.fixture(scope="module")
def lexicons():
    return {compiled: Lexicon(WORDS, LETTERS, compiled) for compiled in (True, False)}


@pytest.mark.parametrize("delta", range(6))
@pytest.mark.parametrize("method, compiled", [*((m, True) for m in METHODS), ("trie", False)])
def test_candidates_are_those_of_brute_force(lexicons, method, compiled, delta):
    for query in QUERIES:
        numbers, distances = lexicons[compiled].nearest(query, delta, method)
        truth = {w: d for w in WORDS if (d := Levenshtein.distance(query, w)) <= delta}
        assert {WORDS[n]: d for n, d in zip(numbers, distances)} == truth
        assert numbers.tolist() == sorted(numbers)


@pytest.mark.parametrize("size", [63, 64, 65, 130])
@pytest.mark.parametrize("compiled", [True, False])
def test_readings_about_as_long_as_a_machine_word(size, compiled):
    words = ["a" * (size + 2), "a" * (size - 1), "a" * (size + 9)]
    numbers, distances = Lexicon(words, "a", compiled).nearest("a" * size, 2)
    assert (numbers.tolist(), distances.tolist()) == ([0, 1], [2, 1])


@pytest.mark.parametrize("method", METHODS)
def test_an_empty_lexicon_is_near_to_nothing(method):
    assert len(Lexicon([], LETTERS).nearest("abc", 3, method)[0]) == 0


def test_one_letter_a_line_down_a_very_long_word():
    lexicon = Lexicon(["a" * 3000, "b"], "ab")
    assert lexicon.nearest("bb", 1)[0].tolist() == [1]
    assert lexicon.decode(np.log(np.full((4, 1, 3), 1 / 3)))[0].word == "b"
