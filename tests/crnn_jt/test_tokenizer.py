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


ACCENTS = "abcdefghijklmnopqrstuvwxyzàâçéèêëîïôûùüÿœ"
PLATES = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@pytest.mark.parametrize(
    ("characters", "text", "kept"),
    [
        (ACCENTS, "cafe\u0301", "café"),
        (ACCENTS, "CAFÉ", "café"),
        (ACCENTS, "ﬁn", "fin"),
        (PLATES, "Hello", "HELLO"),
        (PLATES, "hello", "HELLO"),
        (PLATES, "ａｂ１２", "AB12"),
        (PLATES, "straße", "STRASSE"),
        (PLATES, "①②", "12"),
        ("0123456789abc", "１２Ａ", "12a"),
        ("ﬁ1", "ﬁ１", "ﬁ1"),
        ("don't-", "don’t – ʼn", "don't-'n"),
        ("don’t", "don’t", "don’t"),
        ("1/2", "½", "1/2"),
        ("ガバカ", "ｶﾞﾊﾞｶ", "ガバカ"),
        ("ﾊﾞカ", "ｶﾊﾞ", "カﾊﾞ"),
        ("가각", "\u1100\u1161", "가"),
        ("\u1ebfe", "e\u0302\u0301", "\u1ebf"),
        ("ABCß", "Aßb", "AßB"),
        ("αβσς", "ΑΒΣ", "αβς"),
        ("e\u0301a", "éa", "éa"),
        ("\u0958a", "\u0915\u093ca", "\u0958a"),
        ("abC", "Abc", "b"),
    ],
)
def test_one_policy_for_the_forms_of_text(characters, text, kept):
    """Composed, in the set's case, in compatibility forms that the set has, as a keyboard has it; sets of both cases
    fold nothing.
    """
    tokenizer = Tokenizer(LabelSpec(characters=characters))
    assert tokenizer.accept(text) == kept
    assert tokenizer.decode(tokenizer.encode(kept)) == kept


def test_a_form_of_which_the_set_has_half_is_outside():
    """½ is not learnt as 1 where there is no slash and no 2, nor a voiced katakana as an unvoiced one."""
    assert Tokenizer(LabelSpec(characters="カハ")).accept("ｶﾊﾞ") == "カ"
    assert Tokenizer(LabelSpec(characters="1a")).accept("½a") == "a"
    assert Tokenizer(LabelSpec(characters="1a", outside="drop-sample")).accept("½a") is None
