"""Log-probabilities over any character set as log-probabilities over the normalised one (lower case, 0-9a-z).

Protocols compare lower-case words without punctuation. A recogniser that tells capitals apart spreads a letter's
probability over its forms; at each step they are added up, and what normalisation drops (punctuation) counts as blank.
One case is lost: two forms of a letter side by side without a blank ("Aa") fold to one letter.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data_tools.text import alphanumeric


def fold_symbols(symbols: Sequence[str]) -> list[str]:
    """The normalised characters that a character set can write, sorted."""
    return sorted({alphanumeric(symbol)[:1] for symbol in symbols} - {""})


def fold(log_probs: np.ndarray, lengths: np.ndarray, symbols: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """(T, N, K) over blank + symbols -> (T, N, K') over blank + sorted normalised characters; lengths as they are."""
    forms = ["", *(alphanumeric(symbol)[:1] for symbol in symbols)]
    places = {character: i for i, character in enumerate(["", *fold_symbols(symbols)])}  # "" is the blank
    target = np.array([places[form] for form in forms])
    if len(places) == len(forms) and (target == np.arange(len(forms))).all():
        return log_probs, lengths
    matrix = (target[:, None] == np.arange(len(places))).astype(np.float64)  # (K, K')
    with np.errstate(divide="ignore"):
        return np.log(np.exp(log_probs.astype(np.float64)) @ matrix), lengths
