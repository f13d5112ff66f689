"""A user's list of words for a model: searched in the forms that the model can write, answered as the list has them."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from crnn_jt.decoding.lexicon import Lexicon
from crnn_jt.tokenizer import Tokenizer
from data_tools.errors import UserError
from data_tools.lexicons import read_words
from data_tools.text import compose, trim

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class WordList:
    """`lexicon` holds the written forms, `spelling` the word of the list for each (the first, where several share a
    form), `unwritten` the words that the model's character set cannot write at all.
    """

    lexicon: Lexicon
    spelling: dict[str, str]
    unwritten: tuple[str, ...] = ()

    def spell(self, form: str) -> str:
        """The word of the list that has this form."""
        return self.spelling.get(form, form)


def spell_out(words: Iterable[str], tokenizer: Tokenizer) -> WordList:
    """The list of these words, by the tokenizer's policy; under `refuse` a word with a symbol outside is left out."""
    spelling: dict[str, str] = {}
    unwritten = []
    for word in map(trim, words):
        try:
            form = tokenizer.accept(word)
        except UserError:
            form = None
        if form:
            spelling.setdefault(form, compose(word))
        elif word:
            unwritten.append(word)
    return WordList(Lexicon(list(spelling), tokenizer.symbols), spelling, tuple(unwritten))


def open_words(path: str, tokenizer: Tokenizer) -> WordList:
    """The list in a file that `--lexicon` names; words that cannot be written are said in the log. Raises UserError
    where none can.
    """
    words = spell_out(read_words(path), tokenizer)
    if not len(words.lexicon):
        raise UserError(f"--lexicon {path}: none of its words can be written in the model's character set")
    if words.unwritten:
        count, first = len(words.unwritten), words.unwritten[0]
        logger.warning("%s", f"--lexicon {path}: {count} words cannot be written by the model, such as {first!r}")
    return words
