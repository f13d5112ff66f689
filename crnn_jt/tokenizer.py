"""Symbols and their indices. Index 0 is the blank (CTC) or the end (decoders).

One policy makes labels, words of lexicons and readings of what users write (Unicode Standard Annex 15 names the forms):
1. Text is composed (NFC), so that é is one character however it was typed.
2. It is folded to the case that a set has, where the set has only one.
3. A character outside the set is taken in its compatibility form (NFKC: full-width digits, ligatures, circled numbers;
   a half-width katakana with its voiced mark), or as a keyboard has it (’ as ', – as -, ½ as 1/2), where the set has
   all of that.
4. What is still outside is refused, dropped, or drops the sample, as `labels.outside` says.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from crnn_jt.spec import LabelSpec
from data_tools.errors import UserError
from data_tools.text import compose

_TYPED = str.maketrans("‘’‚‛ʼ′“”„‟″‐‑‒–—―−⁄", "''''''\"\"\"\"\"-------/")
_MARKED = re.compile("[\uff66-\uff9d][\uff9e\uff9f]|.", re.DOTALL)
"""A half-width katakana with its voiced mark, which is one character in any other form; else a character."""


class Tokenizer:
    """Text <-> indices under the label policy of a spec."""

    def __init__(self, labels: LabelSpec):
        self.labels = labels
        if labels.characters:
            self.symbols, self.separator = tuple(labels.characters), ""
        else:
            self.symbols, self.separator = _vocabulary(labels.vocabulary), " "
        self._index = {symbol: position for position, symbol in enumerate(self.symbols, start=1)}
        self._case = _only_case(labels.characters)
        self._composed = {compose(symbol): symbol for symbol in labels.characters if compose(symbol) != symbol}

    @property
    def classes(self) -> int:
        """Symbols and the blank or end."""
        return len(self.symbols) + 1

    def split(self, text: str) -> list[str]:
        """The symbols of a text."""
        return text.split() if self.separator else list(text)

    def accept(self, text: str) -> str | None:
        """The label as it is trained and tested, or None where the policy drops the sample (also where nothing is
        left).

        Raises UserError under the policy `refuse`.
        """
        symbols = self.split(text) if self.separator else self._write(text)
        outside = [symbol for symbol in symbols if symbol not in self._index]
        if outside and self.labels.outside == "refuse":
            raise UserError(
                f"label {text!r}: {outside[0]!r} is not in the character set; add it, or set labels.outside to "
                "drop-character or drop-sample"
            )
        if outside and self.labels.outside == "drop-sample":
            return None
        kept = [symbol for symbol in symbols if symbol in self._index]
        return self.separator.join(kept) or None

    def _write(self, text: str) -> list[str]:
        """The characters of a text in the forms that the set has, and those that it has in none as they are."""
        text = compose(text)
        for form, symbol in self._composed.items():  # the few that a set has in another form than the composed one
            text = text.replace(form, symbol)
        if self._case == "lower" and not text.islower():
            text = text.lower()  # at once, since a sigma at the end of a word is another one
        written: list[str] = []
        for character in _MARKED.findall(text):
            written += [character] if character in self._index else self._other_form(character)
        return written

    def _other_form(self, character: str) -> list[str]:
        """A character outside the set in its case, in its compatibility form or as it is typed; else itself."""
        compatible = unicodedata.normalize("NFKC", character)
        for form in (character, compatible, compatible.translate(_TYPED)):
            for cased in (form, *([getattr(form, self._case)()] if self._case else [])):
                if all(part in self._index for part in cased):
                    return list(cased)
        return list(character)

    def encode(self, text: str) -> list[int]:
        """Indices of an accepted text. Raises KeyError for a symbol outside."""
        return [self._index[symbol] for symbol in self.split(text)]

    def parts(self) -> list[frozenset[str]]:
        """What each symbol is put together from: `semantic.parts`; figure and place; a character from nothing."""
        from data_tools.music import semantic

        if self.labels.vocabulary == "semantic":
            return [semantic.parts(symbol) for symbol in self.symbols]
        return [frozenset(symbol.split("-", 1) if self.separator else ()) for symbol in self.symbols]

    def covers(self, text: str) -> bool:
        """Whether every symbol of the text can be read."""
        return all(symbol in self._index for symbol in self.split(text))

    def decode(self, indices: Sequence[int]) -> str:
        """The text of indices without blanks or ends."""
        return self.separator.join(self.symbols[index - 1] for index in indices)


def _only_case(characters: str) -> str:
    """ "lower" or "upper" where a set has letters of that case alone, else nothing."""
    lower = any(character.upper() != character and len(character.upper()) == 1 for character in characters)
    upper = any(character.lower() != character for character in characters)
    return "" if lower == upper else ("lower" if lower else "upper")


def _vocabulary(name: str) -> tuple[str, ...]:
    from data_tools.music import vocabulary

    return vocabulary.load(name)
