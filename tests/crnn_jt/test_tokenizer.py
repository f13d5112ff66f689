"""Symbols and label policies."""

from __future__ import annotations

import pytest

from crnn_jt.spec import LabelSpec
from crnn_jt.tokenizer import Tokenizer
from data_tools.errors import UserError


def test_indices_begin_behind_the_blank():
    """Index 0 is the blank or end; texts come back from their indices."""
    tokenizer = Tokenizer(LabelSpec(characters="abc"))
    assert tokenizer.classes == 4
    assert tokenizer.encode("cab") == [3, 1, 2]
    assert tokenizer.decode([3, 1, 2]) == "cab" and tokenizer.decode([]) == ""


@pytest.mark.parametrize(
    ("outside", "text", "kept"),
    [
        ("drop-character", "A-b c", "abc"),
        ("drop-character", "!?", None),
        ("drop-character", "", None),
        ("drop-sample", "ab!", None),
        ("drop-sample", "AB", "ab"),
        ("refuse", "CAB", "cab"),
    ],
)
def test_policies(outside, text, kept):
    """Lower case first where there are no capitals; then the policy; nothing left is no label."""
    assert Tokenizer(LabelSpec(characters="abc", outside=outside)).accept(text) == kept


def test_refuse_names_label_symbol_and_remedy():
    """The user sees which label, which character, and which setting."""
    with pytest.raises(UserError, match=r"label 'Ab-c': '-' is not in the character set; .* labels\.outside"):
        Tokenizer(LabelSpec(characters="abc", outside="refuse")).accept("Ab-c")


def test_capitals_are_kept_where_they_are_symbols():
    """A cased character set must not be folded."""
    tokenizer = Tokenizer(LabelSpec(characters="aAb", outside="drop-sample"))
    assert tokenizer.accept("Aab") == "Aab" and tokenizer.accept("B") is None


def test_characters_of_any_script():
    """Digits, Chinese and combining scripts are symbols like others; lower-casing that grows a text drops the rest."""
    tokenizer = Tokenizer(LabelSpec(characters="字图é7i"))
    assert tokenizer.decode(tokenizer.encode(tokenizer.accept("图字7É"))) == "图字7é"
    assert tokenizer.accept("İ") == "i"


def test_vocabularies_are_words_between_spaces():
    """Music: symbols are words; any white space separates, one space joins."""
    tokenizer = Tokenizer(LabelSpec(characters="", vocabulary="semantic"))
    text = tokenizer.accept("clef-G2\tbarline")
    assert text == "clef-G2 barline" and tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.classes == 1782
    assert not tokenizer.covers("clef-G9") and tokenizer.covers("clef-G2")


def test_an_unknown_vocabulary_is_named():
    """A misspelt vocabulary is one line."""
    with pytest.raises(UserError, match="semantics"):
        Tokenizer(LabelSpec(characters="", vocabulary="semantics"))
