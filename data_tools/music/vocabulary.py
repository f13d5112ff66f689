"""The symbols of PrIMuS: 1,781 semantic and 758 agnostic ones.

The two lists beside this file are the vocabularies published with PrIMuS (J. Calvo-Zaragoza and D. Rizo, "End-to-End
Neural Optical Music Recognition of Monophonic Scores", Applied Sciences 8(4), 2018): every symbol that occurs in its
87,678 incipits, one a line, in the published order. The order is the order of a model's classes.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from data_tools.errors import UserError

ENCODINGS = ("semantic", "agnostic")


def vocabulary_file(encoding: str) -> Path:
    """The list's file, one symbol a line; raises UserError for an encoding that is neither."""
    if encoding not in ENCODINGS:
        raise UserError(f"{encoding}: no such music encoding; there are: {', '.join(ENCODINGS)}")
    return Path(__file__).with_name(f"vocabulary_{encoding}.txt")


@cache
def load(encoding: str) -> tuple[str, ...]:
    """All symbols of an encoding, in the published order."""
    return tuple(vocabulary_file(encoding).read_text(encoding="utf-8").split())


@cache
def symbols(encoding: str) -> frozenset[str]:
    """The same as a set."""
    return frozenset(load(encoding))


def unknown(encoding: str, sequence: list[str]) -> list[str]:
    """Symbols of `sequence` that are not in the vocabulary, each once, in order."""
    return [symbol for symbol in dict.fromkeys(sequence) if symbol not in symbols(encoding)]
