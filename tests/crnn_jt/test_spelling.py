"""A user's list of words for a model."""

from __future__ import annotations

from crnn_jt.spec import LabelSpec
from crnn_jt.spelling import spell_out
from crnn_jt.tokenizer import Tokenizer

WORDS = ["New-York", "\ufeffSTATION ", "new york", "cafe\u0301", "???", ""]


def test_words_are_found_by_their_form_and_answered_as_the_list_has_them():
    """The first spelling of a form counts; words without one usable character are named."""
    found = spell_out(WORDS, Tokenizer(LabelSpec()))
    assert found.lexicon.words == ["newyork", "station", "caf"] and found.unwritten == ("???",)
    assert [found.spell(form) for form in found.lexicon.words] == ["New-York", "STATION", "café"]
    assert found.spell("other") == "other"


def test_under_other_policies_a_word_with_a_character_outside_is_left_out():
    for outside in ("refuse", "drop-sample"):
        found = spell_out(["Hotel", "New-York"], Tokenizer(LabelSpec(outside=outside)))
        assert found.lexicon.words == ["hotel"] and found.unwritten == ("New-York",)
