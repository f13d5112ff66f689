"""Which words each image may choose from, column by column: official, drawn by seed, the set's own, a dictionary."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_tools import lexicons
from eval.words.protocols import DRAWN


class Unserved(Exception):
    """A column that a set cannot serve; the message says why."""


@dataclass(frozen=True)
class Choices:
    """The lexicons of one column of one set: `words` distinct, normalised; `numbers[i]` those of image i, or None: all.

    `source` says where they come from: official, drawn, labels or the dictionary's file name.
    """

    words: list[str]
    numbers: list[np.ndarray] | None
    source: str

    def holds(self, image: int, word: str) -> bool:
        """Whether image `image` may choose `word`."""
        number = self._index.get(word)
        return number is not None and (self.numbers is None or number in self.numbers[image])

    def __post_init__(self):
        object.__setattr__(self, "_index", {word: i for i, word in enumerate(self.words)})


def assign_lexicons(
    column: str, names: list[str], labels: list[str], official: dict[str, list[str]] | None, seed: int
) -> Choices:
    """The `50` or `1k` column: the official lexicons where the set has them, else drawn from its labels by `seed`.

    names and labels (normalised) of the images. A drawn lexicon holds the label itself and as many words in all as the
    column says (`data_tools.lexicons.draw_lexicons`). Raises Unserved.
    """
    if official is not None:
        return _assign_official(names, official)
    try:
        return _number_words(lexicons.draw_lexicons(labels, DRAWN[column], seed), "drawn")
    except lexicons.TooFewLabels as error:
        raise Unserved(str(error)) from error


def _number_words(lists: Iterable[list[str]], source: str) -> Choices:
    """A lexicon for each image as numbers of the words in all of them."""
    place: dict[str, int] = {}
    numbers = [np.array([place.setdefault(word, len(place)) for word in words], dtype=np.int64) for words in lists]
    return Choices(list(place), numbers, source)


def _assign_official(names: list[str], official: dict[str, list[str]]) -> Choices:
    prefixes = [_find_prefix(name, official) for name in names]
    missing = [name for name, prefix in zip(names, prefixes) if prefix is None]
    if missing:
        raise Unserved(f"the official lexicons lack {len(missing)} images, such as {missing[0]}")
    return _number_words((official[prefix] for prefix in prefixes), "official")


def _find_prefix(name: str, official: dict[str, list[str]]) -> str | None:
    """The longest prefix of an image's name, in whole parts between underscores, that has a lexicon."""
    parts = Path(name.replace("\\", "/")).stem.split("_")
    for end in range(len(parts), 0, -1):
        if "_".join(parts[:end]) in official:
            return "_".join(parts[:end])
    return None


def take_labels(labels: list[str]) -> Choices:
    """All distinct labels of the set, for every image."""
    return Choices(lexicons.full(labels), None, "labels")


def open_dictionary(path: Path | None) -> Choices:
    """A word list for every image. Raises Unserved where there is none, UserError where it cannot be used."""
    if path is None:
        raise Unserved("there is no dictionary; name one with --dictionary")
    return Choices(lexicons.read_lexicon(path), None, path.name)
