"""P(w), how likely a text is to be written, over a model's characters: the noisy channel's prior (`language.py`).

It mixes the words of a language by how often they are written, a character n-gram model for what no list holds, and
classes for numbers, codes and addresses of the web (`classes`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crnn_jt.decoding import classes
from crnn_jt.decoding.ngram import NGram
from data_tools.errors import UserError
from data_tools.words.language import Language

RAREST = -28.0
"""log of what every text has, so that no name is impossible. Chosen on development data: docs/language.md."""


@dataclass(frozen=True)
class Shares:
    """How much of what is written each part of P accounts for; they add up to 1."""

    word: float = 0.62
    spelling: float = 0.18
    code: float = 0.13
    letters: float = 0.02
    pair: float = 0.03
    address: float = 0.02


class Prior:
    """P(w) over a model's characters. Raises UserError where no word of the language can be written with them."""

    def __init__(self, language: Language, symbols: Sequence[str], shares: Shares = Shares()):
        self.shares = shares
        self.folds = not any(symbol.isupper() for symbol in symbols)
        folded = list(dict.fromkeys(symbol.lower() for symbol in symbols if len(symbol.lower()) == 1))
        self.chances = _fold(language, frozenset(folded))
        if not self.chances:
            raise UserError(f"language {language.name}: none of its words can be written in the model's character set")
        rare = np.sqrt(np.fromiter(self.chances.values(), float) / min(self.chances.values()))
        counts = np.minimum(np.rint(rare), 1000).astype(np.int64)
        self.ngram = NGram(list(self.chances), counts, folded)

    def log_p(self, texts: Sequence[str]) -> np.ndarray:
        """log P of each text, (M,)."""
        folded = [text.lower() for text in texts]
        distinct = {text: i for i, text in enumerate(dict.fromkeys(folded))}  # a beam's readings differ in case
        chances = self._chances(list(distinct))
        logs = np.log(chances + np.exp(RAREST))[[distinct[text] for text in folded]]
        return logs if self.folds else logs + np.log([case_chance(text) for text in texts])

    def _chances(self, texts: Sequence[str]) -> np.ndarray:
        """The chance of each text in small letters."""
        share = self.shares
        total = share.spelling * np.exp(self.ngram.log_p(texts))
        total += [self._known(text) for text in texts]
        names = {i: found for i, text in enumerate(texts) if (found := classes.address_name(text))}
        if names:
            inner = self.ngram.log_p([name for name, _ in names.values()])
            for (i, (name, around)), spelt in zip(names.items(), inner):
                known = 0.5 * self.word(name) + 0.2 * classes.pair_chance(name, self.chances.get)
                total[i] += share.address * around * (known + 0.3 * float(np.exp(spelt)))
        return total

    def word(self, text: str) -> float:
        """The chance of a word among the listed ones."""
        return self.chances.get(text, 0.0)

    def listed(self, text: str) -> float:
        """The share of a listed word in the case that it has here."""
        chance = self.word(text.lower()) * self.shares.word
        return chance if self.folds else chance * case_chance(text)

    def _known(self, text: str) -> float:
        share = self.shares
        chance = share.word * self.chances.get(text, 0.0) + share.pair * classes.pair_chance(text, self.chances.get)
        if text.isalpha():
            return chance + share.letters * classes.letters_chance(text)
        return chance + share.code * classes.code_chance(text, self.word)


def _fold(language: Language, characters: frozenset[str]) -> dict[str, float]:
    """The chance of each word in small letters and the model's characters; what differs in others adds up."""
    chances: dict[str, float] = {}
    for word, chance in zip(language.words, np.exp(language.log_chances).tolist()):
        folded = word.lower()
        if not characters.issuperset(folded):
            folded = "".join(c for c in folded if c in characters or c.isalnum())
            if not characters.issuperset(folded):  # a letter is lacking
                continue
        if folded:
            chances[folded] = chances.get(folded, 0.0) + chance
    total = sum(chances.values())
    return {word: chance / total for word, chance in chances.items()}


_CASES = {"lower": 0.25, "capital": 0.3, "upper": 0.43, "mixed": 0.02}


def case_chance(text: str) -> float:
    """The chance of a text's capitals, given its letters."""
    if text.upper() == text.lower():
        return 1.0
    upper, capital, lower = text == text.upper(), text == text.capitalize(), text == text.lower()
    found = _CASES["upper"] * upper + _CASES["capital"] * capital + _CASES["lower"] * lower
    return found or _CASES["mixed"]
