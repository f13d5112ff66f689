"""Texts without pictures: what language models learn from."""

from __future__ import annotations

from collections import Counter

import numpy as np

from data_tools.words import Recipe
from data_tools.words.language import build_language
from data_tools.words.spelling import FAULTS, misspell
from data_tools.words.written import DrawnWords, WrittenWords


def test_words_are_drawn_as_often_as_they_are_written(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("station\t3\nhotel\t1\n")
    reader = DrawnWords(7, 2000, build_language("list", [str(path)]))
    counts = Counter(reader[n].text for n in range(len(reader)))
    assert set(counts) == {"station", "hotel"} and 0.70 < counts["station"] / 2000 < 0.80
    assert [reader[n].text for n in range(20)] == [reader[n].text for n in range(20)]
    assert reader[3].image is None


def test_written_words_follow_the_recipe_and_the_seed():
    recipe = Recipe(digits_share=1.0, mixed_share=0.0, random_share=0.0, sign_share=0.0)
    texts = [WrittenWords(1, 50, recipe)[n].text for n in range(50)]
    assert all(any(c.isdigit() for c in text) for text in texts)
    assert texts == [WrittenWords(1, 50, recipe)[n].text for n in range(50)]
    assert texts != [WrittenWords(2, 50, recipe)[n].text for n in range(50)]


def test_faults_come_in_the_published_shares_and_leave_a_symbol():
    rng = np.random.default_rng(0)
    word = [3, 1, 4, 1, 5, 9, 2, 6]
    found = [misspell(word, 30, rng) for _ in range(4000)]
    assert (
        abs(sum(one == word for one in found) / 4000 - FAULTS[0]) < 0.03
    )  # now and then a letter is replaced by itself
    assert {len(one) - len(word) for one in found} >= {-1, 0, 1}
    assert all(1 <= symbol < 30 for one in found for symbol in one)
    assert all(misspell([1], 30, rng) for _ in range(500))
    assert word == [3, 1, 4, 1, 5, 9, 2, 6]
