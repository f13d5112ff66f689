"""A loaded recogniser as the evaluation wants it: readings with their log-probabilities, scores of given words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from crnn_jt.decoding import ctc
from eval.words import Read


class Loaded:
    """Wraps what `crnn_jt.load` gives. Decoders have no per-step probabilities and score words instead."""

    def __init__(self, recognizer):
        self.recognizer, self.symbols = recognizer, recognizer.tokenizer.symbols

    def read(self, images: list[Image.Image]) -> list[Read]:
        """As `Subject.read`."""
        if not self.recognizer.aligned:
            return [Read(found.raw, found.confidence) for found in self.recognizer.read(images)]
        log_probs, lengths = self.recognizer.log_probs(images)
        decode = self.recognizer.tokenizer.decode
        return [
            Read(decode(reading.indices), reading.confidence, log_probs[:steps, i])
            for i, (reading, steps) in enumerate(zip(ctc.greedy(log_probs, lengths), lengths))
        ]

    def score(self, images: list[Image.Image], rows: np.ndarray, words: Sequence[str]) -> np.ndarray:
        """As `Subject.score`; a word counts in its likeliest form where the character set has capitals."""
        scores = np.empty(len(rows))
        for row in np.unique(rows):
            mine = np.flatnonzero(rows == row)
            scores[mine] = self._of_one(images[row], [words[i] for i in mine])
        return scores

    def _of_one(self, image: Image.Image, words: list[str]) -> np.ndarray:
        forms = [words]
        if any(symbol.isupper() for symbol in self.symbols):
            forms += [[word.capitalize() for word in words], [word.upper() for word in words]]
        return np.max([self.recognizer.score([image], form)[0] for form in forms], axis=0)


def load(weights: str) -> Loaded:
    """The recogniser of that name or file. Raises UserError."""
    import crnn_jt

    return Loaded(crnn_jt.load(weights))
