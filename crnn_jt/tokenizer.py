"""Symbols and their indices. Index 0 is the blank (CTC) or the end (decoders)."""

from __future__ import annotations

from collections.abc import Sequence

from crnn_jt.spec import LabelSpec
from data_tools.errors import UserError


class Tokenizer:
    """Text <-> indices under the label policy of a spec: lower case first where the character set has no capitals; then
    symbols outside are refused, dropped, or drop the sample.
    """

    def __init__(self, labels: LabelSpec):
        self.labels = labels
        if labels.characters:
            self.symbols, self.separator = tuple(labels.characters), ""
        else:
            self.symbols, self.separator = _vocabulary(labels.vocabulary), " "
        self._index = {symbol: position for position, symbol in enumerate(self.symbols, start=1)}
        self._folds = bool(labels.characters) and labels.characters == labels.characters.lower()

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
        symbols = self.split(text.lower() if self._folds else text)
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


def _vocabulary(name: str) -> tuple[str, ...]:
    from data_tools.music import vocabulary

    return vocabulary.load(name)
