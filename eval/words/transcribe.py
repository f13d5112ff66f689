"""Reads the images of a test set that count, each of them once and without a lexicon."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol as Interface

import numpy as np
from PIL import Image

from data_tools.sample import CorruptSample
from data_tools.text import alphanumeric
from eval.words.protocols import Protocol
from eval.words.results import Item
from eval.words.sets import TestSet

BATCH = 64


class Subject(Interface):
    """What is evaluated. `subject.Loaded` makes one of a loaded recogniser."""

    symbols: Sequence[str]
    """The characters, index 1 first."""

    def read(self, images: list[Image.Image]) -> list[Transcription]:
        """A reading of each image."""
        ...

    def score(self, images: list[Image.Image], rows: np.ndarray, words: list[str]) -> np.ndarray:
        """log p(words[m] | images[rows[m]]), (M,); for recognisers without per-step probabilities."""
        ...


@dataclass(frozen=True)
class Transcription:
    """A lexicon-free reading; `log_probs` (T, K) over the steps of this image, None for decoders."""

    text: str
    confidence: float
    log_probs: np.ndarray | None = None


def transcribe(
    subject: Subject, protocol: Protocol, test_set: TestSet, keep_steps: bool, problems: list[str]
) -> tuple[list[Item], list[np.ndarray | None]]:
    """The items of the set that count, read, and the log-probabilities (T, K) of each where they are kept and known.

    A line for each image that cannot be used goes to `problems`.
    """
    items, log_probs = [], []
    for batch in make_batches(_open_items(protocol, test_set, problems)):
        images = [image for _, image in batch if image is not None]
        readings = iter(subject.read(images) if images else [])
        for item, image in batch:
            if image is None:
                items.append(item)
                log_probs.append(None)
                continue
            reading = next(readings)
            items.append(replace(item, reading=alphanumeric(reading.text), confidence=reading.confidence))
            log_probs.append(reading.log_probs if keep_steps else None)
    return items, log_probs


def _open_items(
    protocol: Protocol, test_set: TestSet, problems: list[str]
) -> Iterator[tuple[Item, Image.Image | None]]:
    """The items that count, not yet read, with their images; None for an image that cannot be opened."""
    unlabelled = []
    for index in range(len(test_set.reader)):
        try:
            sample = test_set.reader[index]
        except CorruptSample as corrupt:
            if corrupt.part == "label":  # nobody can say whether the image belongs to the denominator
                unlabelled.append(str(corrupt))
            else:
                problems.append(f"{test_set.name}: {corrupt}; counts as wrong")
                yield Item(index, corrupt.key, "", readable=False), None
            continue
        if protocol.keeps(test_set.name, sample.text):
            yield Item(index, sample.key, alphanumeric(sample.text)), sample.image
    if unlabelled:
        problems.append(f"{test_set.name}: {len(unlabelled)} images left out, such as {unlabelled[0]}")


def make_batches(values: Iterable) -> Iterator[list]:
    """The values in lists of BATCH, the last one shorter."""
    source = iter(values)
    while batch := list(islice(source, BATCH)):
        yield batch
