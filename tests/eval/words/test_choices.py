"""A lexicon with the wrong words makes a figure that compares with nothing."""

import pytest

from eval.words.choices import Unserved, assign_lexicons, open_dictionary, take_labels

LABELS = [f"word{i % 60}" for i in range(80)]
NAMES = [f"{i}.png" for i in range(80)]


def test_drawn_lexicons_hold_the_label_and_exactly_as_many_distinct_words():
    choices = assign_lexicons("50", NAMES, LABELS, None, seed=1)
    assert choices.source == "drawn"
    for image, (numbers, label) in enumerate(zip(choices.numbers, LABELS)):
        assert len({choices.words[n] for n in numbers}) == 50
        assert choices.holds(image, label)
    again = assign_lexicons("50", NAMES, LABELS, None, seed=1)
    assert [[again.words[n] for n in one] for one in again.numbers] == [
        [choices.words[n] for n in one] for one in choices.numbers
    ]


def test_a_set_with_too_few_labels_leaves_the_column_out_and_says_why():
    with pytest.raises(Unserved, match="60 distinct labels"):
        assign_lexicons("1k", NAMES, LABELS, None, seed=1)


def test_official_lexicons_go_by_the_longest_prefix_of_the_name():
    official = {"14": ["a"], "14_03": ["b", "c"], "15": ["d"]}
    choices = assign_lexicons("50", ["14_03_1.jpg", "14_3_1.jpg", "15_1.jpg"], ["b", "x", "d"], official, seed=1)
    assert [[choices.words[n] for n in numbers] for numbers in choices.numbers] == [["b", "c"], ["a"], ["d"]]
    assert choices.source == "official"
    assert not choices.holds(1, "b")
    with pytest.raises(Unserved, match="lack 1 images, such as 16_1"):
        assign_lexicons("50", ["16_1.jpg"], ["x"], official, seed=1)


def test_full_is_every_distinct_label_and_a_missing_dictionary_is_said():
    assert sorted(take_labels(["a", "b", "a"]).words) == ["a", "b"]
    with pytest.raises(Unserved, match="--dictionary"):
        open_dictionary(None)
