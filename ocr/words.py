"""The words of a text that was read in one go, each with its place: where the recogniser saw the spaces."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np

from crnn_jt.reading import Prediction
from data_tools.photos.cutting import measure, take_part
from ocr.page import Word

APART = 0.12
"""Heights left free on both sides of a space's middle; what is printed leaves about a quarter between words."""


def split_words(prediction: Prediction, quad: np.ndarray) -> tuple[Word, ...]:
    """The words of what was read in a quad (4, 2), from the top left as read; of a single word, the quad itself."""
    texts = prediction.text.split()
    if len(texts) < 2:
        return tuple(Word(text, prediction.confidence, quad) for text in texts)
    width, height = measure(quad)
    extents, confidences = find_extents(prediction, height / width), _confidences(prediction, len(texts))
    return tuple(
        Word(text, confidence, take_part(quad, *extent))
        for text, confidence, extent in zip(texts, confidences, extents)
    )


def find_extents(prediction: Prediction, height: float) -> list[tuple[float, float]]:
    """Where each word begins and ends, in shares of the width; `height` is that of the picture in the same unit.

    Where the recogniser does not say at which place it saw a character, all are taken to be equally wide.
    """
    words = [match.span() for match in re.finditer(r"\S+", prediction.text)]
    seen = [match.span() for match in re.finditer(r"\S+", prediction.raw)]
    spans = prediction.spans
    if len(spans) != len(prediction.raw) or len(seen) != len(words):
        return [(first / len(prediction.text), last / len(prediction.text)) for first, last in words]
    begins, ends = [0.0], []
    for (_, before), (after, _) in pairwise(seen):
        middle = (spans[before][0] + spans[after - 1][1]) / 2  # of the space, or of several
        ends.append(float(np.clip(middle - APART * height, spans[before - 1][1], middle)))
        begins.append(float(np.clip(middle + APART * height, middle, spans[after][0])))
    return list(zip(begins, [*ends, 1.0]))


def _confidences(prediction: Prediction, count: int) -> list[float]:
    """Each word's confidence: the product of its characters', else an equal share of the whole's."""
    each = prediction.character_confidences
    if prediction.text != prediction.raw or len(each) != len(prediction.raw):
        return [prediction.confidence ** (1 / count)] * count
    return [float(np.prod(each[slice(*match.span())])) for match in re.finditer(r"\S+", prediction.raw)]
