"""Finding text that stands on its head, with a trained classifier, alone or together with a recogniser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from crnn_jt.pictures import Picture, open_picture
from crnn_jt.reading import Prediction
from crnn_jt.spec import DirectionSpec
from crnn_jt.weights import Weights, load_weights
from data_tools.loader.turned import cut_part
from data_tools.transforms import normalise

BATCH = 32
PLACES = (0.0, 0.5, 1.0)
"""The parts of a picture that is too long to be seen at once."""
SURE = 3.0
"""What is less certain than these log odds (95 %) is looked at once more, turned round, and both judgements are joined:
of the development words, 85.2 instead of 83.6 % of ICDAR 2015's are told, and 93.8 instead of 91.1 % of SVT's.
"""
DOUBT = 2.0
"""Below these log odds (88 %) a recogniser is asked too. With `line-light` 92.5 instead of 89.9 % of the development
words of ICDAR 2015 are told, and 96.5 instead of 94.2 % of SVT's. 37 and 23 % are asked there; more change nothing.
"""
FAINTEST = 1e-12
"""The least confidence of a reading that tells anything: the logarithm of none is infinite."""


class Judging(Protocol):
    """What says whether text stands on its head: a `DirectionReader`, `TogetherWithReader`, or a stand-in."""

    def overturned(self, images: Sequence[Picture]) -> np.ndarray: ...


class Recognising(Protocol):
    """What reads words or lines: a `crnn_jt.reading.SequenceReader`, or a stand-in."""

    def read(self, images: Sequence[Picture], *, language: str) -> list[Prediction]: ...


class DirectionReader:
    """A classifier ready to judge; `fast` False keeps to the framework's own operators. Raises UserError where the
    weights are of another kind of model.
    """

    def __init__(self, weights: Weights, name: str, fast: bool = True):
        from crnn_jt.freeze import try_freeze
        from crnn_jt.models import restore
        from crnn_jt.models.direction import transform_of

        self.name = name
        self.model = restore(weights, name, "direction")
        self.network = try_freeze(self.model, weights.arrays) if fast else None
        self.transform = transform_of(weights.spec)

    @property
    def spec(self) -> DirectionSpec:
        """The model's spec."""
        return self.model.spec

    def overturned(self, images: Sequence[Picture]) -> np.ndarray:
        """The probability that each picture of a line stands on its head, (N,)."""
        looks, owners = [], []
        for owner, picture in enumerate(map(open_picture, images)):
            parts = [cut_part(picture, self.transform, place) for place in PLACES]
            seen = parts if parts[0] is not picture else parts[:1]
            looks += [self.transform.pixels(part) for part in seen]
            owners += [owner] * len(seen)
        if not looks:
            return np.zeros(0, np.float32)
        odds = self._odds(looks)
        unsure = np.flatnonzero(np.abs(odds) < SURE)
        odds[unsure] = (odds[unsure] - self._odds([looks[n][:, ::-1, ::-1] for n in unsure])) / 2
        mean = np.bincount(owners, odds) / np.bincount(owners)
        return _chances(mean)

    def _odds(self, looks: Sequence[np.ndarray]) -> np.ndarray:
        """The log odds of standing on the head, (N,), of pixels uint8 (C, H, W)."""
        found = [np.zeros(0)]
        for start in range(0, len(looks), BATCH):
            chances = self._look(normalise(np.stack(looks[start : start + BATCH]))).astype(float)
            upright, overturned = np.log(np.maximum(chances, 1e-9)).T
            found.append(overturned - upright)
        return np.concatenate(found)

    def _look(self, images: np.ndarray) -> np.ndarray:
        """Probabilities (N, 2) of images float32 (N, C, H, W)."""
        from crnn_jt import backend

        with backend.no_grad():
            return self.model.probabilities(images, self.network)


class TogetherWithReader:
    """A classifier of direction and a recogniser that judge together: what the classifier doubts is read both ways. The
    two look for different things, so that their log odds are added: the classifier's, and of both readings how much
    more probable the one is than the other.
    """

    def __init__(self, classifier: Judging, recognizer: Recognising):
        self.classifier, self.recognizer = classifier, recognizer

    def overturned(self, images: Sequence[Picture]) -> np.ndarray:
        """The probability that each picture of a line stands on its head, (N,)."""
        chances = np.clip(np.asarray(self.classifier.overturned(images), np.float64), 1e-9, 1 - 1e-9)
        odds = np.log(chances / (1 - chances))
        doubtful = np.flatnonzero(np.abs(odds) < DOUBT)
        if len(doubtful):
            pieces = [open_picture(images[number]) for number in doubtful]
            turned = [piece.transpose(Image.Transpose.ROTATE_180) for piece in pieces]
            readings = self.recognizer.read([*pieces, *turned], language="none")
            confidences = np.maximum([reading.confidence for reading in readings], FAINTEST)
            as_it_is, turned_round = np.log(confidences).reshape(2, -1)
            odds[doubtful] += turned_round - as_it_is
        return _chances(odds)


def _chances(odds: np.ndarray) -> np.ndarray:
    """The probabilities, float32, of log odds."""
    return (1 / (1 + np.exp(-odds))).astype(np.float32)


def load(name: str | Path, fast: bool = True) -> DirectionReader:
    """A classifier by bundled name or weights file. Raises UserError."""
    return DirectionReader(load_weights(name), str(name), fast)
