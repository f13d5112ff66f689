"""Lexicon decoding must choose what scoring every word would choose, by whichever way it is found."""

import numpy as np
import pytest

from crnn_jt.decoding import ctc
from crnn_jt.decoding.lexicon import NOTHING, Lexicon

LETTERS = "abcdefghij"
BOTH = pytest.mark.parametrize("compiled", [True, False])


def random_words(count, seed=0, longest=8):
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list(LETTERS), rng.integers(1, longest + 1))) for _ in range(count)]


def random_log_probs(steps, images, sharpness, seed=0):
    logits = sharpness * np.random.default_rng(seed).normal(size=(steps, images, len(LETTERS) + 1))
    return logits - np.log(np.exp(logits).sum(axis=2, keepdims=True))


WORDS = random_words(1200)


def best_of_all(log_probs, lengths, words):
    """The definition: every word scored by the (separately tested) forward sum."""
    codes = [[LETTERS.index(c) + 1 for c in word] for word in words]
    for image, steps in enumerate(lengths):
        scores = ctc.forward_scores(log_probs[:steps, image], *ctc.pad(codes))
        yield words[int(scores.argmax())], float(scores.max())


@BOTH
@pytest.mark.parametrize("method", ["trie", "brute"])
@pytest.mark.parametrize("sharpness", [0.0, 1.0, 4.0, 12.0])
def test_exact_decoding_equals_scoring_the_whole_lexicon(compiled, method, sharpness):
    log_probs, lengths = random_log_probs(12, 12, sharpness), [12, 3, 1, 8, 12, 5, 12, 12, 7, 12, 9, 12]
    lexicon = Lexicon(WORDS, LETTERS, compiled)
    for found, (word, score) in zip(
        lexicon.decode(log_probs, lengths, method=method), best_of_all(log_probs, lengths, lexicon.words)
    ):
        assert found.within
        assert found.log_probability == pytest.approx(score, abs=1e-9)
        assert sharpness == 0.0 or found.word == word  # flat logits: many words tie


@BOTH
@pytest.mark.parametrize("method", ["trie", "bk-tree", "pybktree", "brute"])
def test_delta_limits_the_choice_to_near_words(compiled, method):
    log_probs = random_log_probs(10, 8, 3.0)
    lexicon = Lexicon(WORDS, LETTERS, compiled)
    texts = ["".join(LETTERS[k - 1] for k in reading.indices) for reading in ctc.greedy(log_probs)]
    for image, found in enumerate(lexicon.decode(log_probs, delta=4, method=method)):
        near = [lexicon.words[i] for i in lexicon.nearest(texts[image], 4, "brute")[0]]
        truth = next(best_of_all(log_probs[:, image : image + 1], [10], near)) if near else (None, -np.inf)
        assert (found.word, found.within) == (truth[0], bool(near))
        assert found.log_probability == pytest.approx(truth[1])


@BOTH
def test_words_too_unlikely_for_floats_are_still_ranked(compiled):
    log_probs = np.full((30, 1, 3), -80.0)
    log_probs[:, :, 0] = 0.0
    lexicon = Lexicon(["ab" * 8, "ab" * 7, "ba" * 10], "ab", compiled)
    assert lexicon.decode(log_probs)[0] == lexicon.decode(log_probs, method="brute")[0]
    assert lexicon.decode(log_probs)[0].word == "ab" * 7


@BOTH
def test_words_that_do_not_fit_an_image_are_not_chosen(compiled):
    lexicon = Lexicon(["aaaa", "abcdef"], LETTERS, compiled)
    log_probs = random_log_probs(4, 1, 1.0)
    assert lexicon.decode(log_probs) == lexicon.decode(log_probs, method="brute") == [NOTHING]


@BOTH
def test_every_image_may_have_its_own_lexicon(compiled):
    lexicon = Lexicon(WORDS, LETTERS, compiled)
    log_probs = random_log_probs(10, 3, 2.0)
    numbers = [np.array([5, 9, 44]), np.array([], dtype=int), np.array([700])]
    found = lexicon.decode_among(log_probs, [10, 10, 10], numbers)
    truth = next(best_of_all(log_probs[:, :1], [10], [lexicon.words[i] for i in numbers[0]]))
    assert found[0].word == truth[0]
    assert found[1] == NOTHING
    assert found[2].word == lexicon.words[700]


@BOTH
def test_empty_lexicons_and_empty_batches_fall_back(compiled):
    log_probs = random_log_probs(5, 2, 1.0)
    for delta in (None, 3):
        assert Lexicon([], LETTERS, compiled).decode(log_probs, delta=delta) == [NOTHING, NOTHING]
        assert Lexicon(["ab"], LETTERS, compiled).decode(log_probs[:, :0], delta=delta) == []


def test_duplicates_go_and_unwritable_words_are_named():
    lexicon = Lexicon(["ab", "ab", "né", "", "cd", "ab"], LETTERS)
    assert lexicon.words == ["ab", "cd"]
    assert lexicon.outside == ["né", ""]
    assert lexicon.repeated == 2


def test_decoders_bring_their_own_scores():
    lexicon = Lexicon(["ab", "cd", "ce"], LETTERS)

    def score(rows, words):
        return np.array([-len(word) - 10.0 * (word == "cd") - row for row, word in zip(rows, words)])

    found = lexicon.choose(["cf", "jjjj"], score, delta=1)
    assert (found[0].word, found[0].log_probability, found[1]) == ("ce", -2.0, NOTHING)
    assert [reading.word for reading in lexicon.choose(["", ""], score)] == ["ab", "ab"]


def test_a_tree_without_a_distance_is_refused():
    with pytest.raises(ValueError, match="delta"):
        Lexicon(["ab"], LETTERS).decode(random_log_probs(3, 1, 1.0), method="bk-tree")
    with pytest.raises(ValueError, match="no such search"):
        Lexicon(["ab"], LETTERS).nearest("a", 1, "guess")


def test_without_a_compiler_numpy_does_the_work(monkeypatch):
    from crnn_jt.decoding import native

    monkeypatch.setenv("CRNN_NATIVE", "0")
    native.library.cache_clear()
    try:
        lexicon = Lexicon(["ab"], LETTERS)
        assert lexicon.library is None
        assert lexicon.decode(random_log_probs(3, 1, 1.0))[0].word == "ab"
    finally:
        native.library.cache_clear()


def test_a_broken_compiler_is_no_error(monkeypatch, tmp_path):
    from crnn_jt.decoding import native

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CXX", "false")
    native.library.cache_clear()
    try:
        assert native.library() is None
        assert not list(tmp_path.rglob("*.so"))
    finally:
        native.library.cache_clear()
