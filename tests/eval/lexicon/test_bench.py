"""The bench's own material: if it were wrong, its figures would say nothing."""

from eval.lexicon import bench


def test_lexicons_have_the_size_asked_for_and_hold_what_is_to_be_read():
    words = bench.draw_lexicon(["ab", "cd", "ef"], ["cd"], 40, seed=0)
    assert len(set(words)) == 40
    assert "cd" in words
    assert len(bench.draw_lexicon(["ab", "cd", "ef"], ["cd"], 2, seed=0)) == 2


def test_simulated_words_read_as_themselves_without_noise():
    truths = ["hello", "book", "a1"]
    images = bench.simulate(truths, 0.0, seed=0)
    greedy = bench.ctc.greedy(images.log_probs, images.lengths)
    assert ["".join(bench.CHARACTERS[k - 1] for k in found.indices) for found in greedy] == truths


def test_checks_pass_on_a_small_case():
    assert bench.check_exactness(20, 200, seed=0)["different"] == {"trie": 0, "trie-numpy": 0}
    assert not any(bench.check_candidates(["abc", "abd", "xyz", "q"], ["abc", "", "zzzz"])["different"].values())
