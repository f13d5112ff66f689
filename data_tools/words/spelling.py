"""Words as they are misread: what a language model learns to put right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

FAULTS = (0.7, 0.15, 0.1, 0.05)
"""How often a word has none, one, two or three faults."""
KINDS = (0.7, 0.15, 0.15)
"""How often a fault is a wrong letter, one too many or one lost."""


def misspell(symbols: Sequence[int], classes: int, rng: np.random.Generator) -> list[int]:
    """A word, symbols 1 to `classes` - 1, with up to three of them replaced, added or lost; one is left at least.

    Kinds and shares are those of ABINet's public code (its `SpellingMutation`).
    """
    found = list(symbols)
    for _ in range(rng.choice(len(FAULTS), p=FAULTS)):
        kind, place = rng.choice(len(KINDS), p=KINDS), int(rng.integers(len(found)))
        other = int(rng.integers(1, classes))
        if kind == 0:
            found[place] = other
        elif kind == 1:
            found.insert(place + int(rng.integers(2)), other)
        elif len(found) > 1:
            del found[place]
    return found
