"""The counting, stated once more and independently, with the traps of the original: denominators, fall-backs."""

import numpy as np
import pytest

from eval.words.bench import Evaluation
from eval.words.protocols import get_protocol
from eval.words.sets import find_sets
from tests.eval.words.conftest import CHARACTERS, Decoder, Stand, fill_set


def evaluate(root, subject=None, protocol="paper", columns="none,50,full,50k,50k-exact", dictionary=True):
    evaluation = Evaluation(
        subject or Stand(),
        get_protocol(protocol),
        columns.split(","),
        root / "Hunspell_en.txt" if dictionary else None,
    )
    found, _ = find_sets(root)
    return {test_set.name: evaluation.run(test_set) for test_set in found}, evaluation.problems


def plain(text):
    return "".join(c for c in text.lower() if c in CHARACTERS)


def test_counts_equal_an_independent_statement_of_the_protocol(root):
    results, problems = evaluate(root)
    pairs = {
        "SVT": [("LIVING", "living"), ("ROOM", "rcom"), ("Hotel", "hote")],
        "IC03": [
            ("cat", "cat"),
            ("horse", "horze"),
            ("horse", "horse"),
            ("zebra", "qqqqqqqqq"),
        ],  # paper: Dog! and no go
    }
    answers = {
        ("SVT", "50"): ["living", "room", "motel"],
        ("SVT", "full"): ["living", "room", "hotel"],
        ("SVT", "50k"): ["living", "room", "hote"],
        ("IC03", "full"): ["cat", "horse", "horse", None],
        ("IC03", "50k"): ["cat", "horse", "horse", "qqqqqqqqq"],
    }
    for (name, column), read in answers.items():
        truths = [plain(label) for label, _ in pairs[name]]
        right = sum(a == b for a, b in zip(read, truths))
        if None in read:
            right += results[name].items[3].answer(column) == truths[3]
        scores = results[name].scores[column]
        assert scores["n"] == len(truths)
        assert scores["accuracy"] == pytest.approx(100 * right / len(truths)), (name, column)
    none = results["IC03"].scores["none"]
    assert none["accuracy"] == 50.0
    assert none["ned"] == pytest.approx(100 * (1 + 4 / 5 + 1 + 0) / 4)
    assert none["cer"] == pytest.approx(100 * (0 + 1 + 0 + 9) / (3 + 5 + 5 + 5))
    assert problems == []


def test_words_outside_the_lexicon_stay_in_the_denominator_and_their_share_is_said(root):
    scores = evaluate(root)[0]["IC03"].scores["50k"]
    assert (scores["n"], scores["outside"], scores["fallbacks"]) == (4, 25.0, 1)
    flattering = evaluate(root, protocol="report-2021")[0]["IC03"].scores["50k"]
    assert (flattering["n"], flattering["removed"], flattering["accuracy"]) == (3, 2, 100.0)


def test_without_a_limit_some_word_is_always_chosen(root):
    items = evaluate(root)[0]["IC03"].items
    assert all(item.chosen["50k-exact"].within for item in items)
    assert items[3].answer("50k") == "qqqqqqqqq"
    assert items[3].answer("50k-exact") in ("cat", "horse", "horde", "living", "room")


def test_columns_that_a_set_cannot_serve_say_why(root):
    results, problems = evaluate(root, columns="none,50,1k,50k", dictionary=False)
    assert "distinct labels" in results["IC03"].left_out["50"]
    assert "dictionary" in results["SVT"].left_out["50k"]
    assert results["SVT"].scores["50"]["lexicon"]["source"] == "official"
    assert len(problems) == 1


@pytest.mark.parametrize("content, said", [(b"", "no word"), (b"\0\0", "not a text file"), (b"!!\n??\n", "no word")])
def test_a_useless_dictionary_is_one_line_and_the_rest_goes_on(root, content, said):
    (root / "Hunspell_en.txt").write_bytes(content)
    results, problems = evaluate(root)
    assert len(problems) == 1 and said in problems[0]
    assert said in results["SVT"].left_out["50k"]
    assert results["SVT"].scores["50"]["n"] == 3


def test_dictionary_words_outside_the_character_set_are_reported(root):
    letters = "abcdefghijklmnopqrstuvwxyz"
    (root / "Hunspell_en.txt").write_text("cat\nroute66\nliving\n", "utf-8")
    results, problems = evaluate(root, Stand(letters), columns="none,50k")
    assert problems == ["Hunspell_en.txt: 1 words are outside the character set, such as route66"]
    assert results["SVT"].scores["50k"]["n"] == 3


def test_an_image_that_cannot_be_read_is_wrong_and_counts(root):
    (root / "SVT" / "image" / "1_1.png").unlink()
    (root / "SVT" / "image" / "2_1.png").write_bytes(b"no picture")
    results, problems = evaluate(root, columns="none,50,full,50k")
    for column in ("none", "full", "50k"):
        assert results["SVT"].scores[column]["n"] == 3
    assert results["SVT"].scores["full"]["accuracy"] == pytest.approx(100 / 3)
    assert len(problems) == 2 and all("counts as wrong" in line for line in problems)


def test_a_line_without_a_label_cannot_be_counted_and_is_named(root):
    with open(root / "SVT" / "gt.txt", "a", encoding="utf-8") as file:
        file.write("4_1.png\n")
    results, problems = evaluate(root, columns="none")
    assert results["SVT"].scores["none"]["n"] == 3
    assert "1 images left out" in problems[0]


def test_decoders_are_read_by_the_scores_they_give(root):
    results, _ = evaluate(root, Decoder())
    assert [item.answer("50") for item in results["SVT"].items] == ["living", "room", "motel"]
    assert results["IC03"].items[1].answer("50k") == "horse"


def test_capitals_and_punctuation_of_a_larger_character_set_are_folded(root):
    both = CHARACTERS + "LIVNG-"
    fill_set(root / "IC15", [("Living", "LI-VING"), ("Living", "Living")])
    results, _ = evaluate(root, Stand(both), columns="none,full,50k-exact")
    assert results["IC15"].scores["none"]["accuracy"] == 100.0
    assert results["IC15"].scores["50k-exact"]["accuracy"] == 100.0


def test_figures_carry_intervals_and_calibration(root):
    none = evaluate(root)[0]["IC03"].scores["none"]
    low, high = none["interval"]["accuracy"]
    assert low <= none["accuracy"] <= high
    sure = np.mean([item.confidence for item in evaluate(root)[0]["IC03"].items])
    assert 0 <= none["calibration_error"] <= 100
    assert 0 < sure < 1
