"""The word of each image out of its lexicon: by the CTC probabilities of its steps, or by a decoder's scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from crnn_jt.decoding.lexicon import Lexicon, LexiconReading
from eval.words.choices import Choices, Unserved
from eval.words.folding import fold

MOST_SCORED = 2000
"""A decoder scores at most this many words for each image: each costs it a run of its own."""
NO_WORD = LexiconReading(None, -np.inf, False)
"""What an image that cannot be read chooses."""


@dataclass(frozen=True)
class Column:
    """A lexicon column of one set: which words there are, their search, and the edit distance that limits it (None: no
    limit).
    """

    choices: Choices
    lexicon: Lexicon
    limit: int | None = None

    def take_numbers(self, images: Sequence[int]) -> list[np.ndarray] | None:
        """The words that these images may choose from; None where all may choose from all."""
        return None if self.choices.numbers is None else [self.choices.numbers[image] for image in images]


def choose_by_steps(
    column: Column, images: Sequence[int], texts: list[str], log_probs: list[np.ndarray], symbols: Sequence[str]
) -> list[LexiconReading]:
    """The likeliest word of each image: `images` are their places in the set, `texts` their lexicon-free readings,
    log_probs (T_i, K) over the blank and `symbols`.
    """
    folded, lengths = fold(*stack(log_probs), symbols)
    numbers = column.take_numbers(images)
    if numbers is not None:
        return column.lexicon.decode_among(folded, lengths, numbers)
    return column.lexicon.decode(folded, lengths, column.limit, texts=texts)


def choose_by_scores(
    column: Column, images: Sequence[int], texts: list[str], score: Callable[[np.ndarray, list[str]], np.ndarray]
) -> list[LexiconReading]:
    """The same by a decoder's `score(rows, words)`, log p(words[m] | image rows[m]). Raises Unserved for too many."""
    numbers = column.take_numbers(images)
    if numbers is not None:
        return column.lexicon.choose_among(numbers, score)
    if column.limit is None and len(column.lexicon) > MOST_SCORED:
        count = len(column.lexicon)
        raise Unserved(f"a decoder would have to score {count} words for each image; use the 50k column")
    return column.lexicon.choose(texts, score, column.limit)


def stack(log_probs: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Per-image (T_i, K) as one (T, N, K) and lengths (N,)."""
    lengths = np.array([len(one) for one in log_probs])
    stacked = np.zeros((int(lengths.max()), len(log_probs), log_probs[0].shape[1]), dtype=np.float32)
    for i, one in enumerate(log_probs):
        stacked[: len(one), i] = one
    return stacked, lengths
