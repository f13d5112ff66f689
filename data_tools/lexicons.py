"""Lexicons for reading words: from dictionaries, word lists and the labels of data sets, normalised for the protocols.

All words are lower-cased and reduced to 0-9a-z (`text.alphanumeric`) and distinct. The per-image lists of a set (`50`,
`1k`) are drawn from the set's own labels with a fixed seed, the image's label among them (Wang et al., ICCV 2011, as
the CRNN paper uses them).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from data_tools.errors import UserError
from data_tools.readers import open_reader
from data_tools.readers.folder import ENDINGS, LABELS, is_list
from data_tools.readers.lmdb import is_lmdb
from data_tools.readers.mjsynth import find_annotations
from data_tools.sample import CorruptSample, Reader
from data_tools.text import alphanumeric
from data_tools.words.listfile import read_list

SEED = 2017
"""The seed of the published columns of this project."""


class TooFewLabels(UserError):
    """A set has fewer distinct labels than a lexicon needs words; its column is left out."""


def normalise_words(words: Iterable[str]) -> list[str]:
    """The distinct words, lower-cased and reduced to 0-9a-z, in the order of their first appearance."""
    return [word for word in dict.fromkeys(map(alphanumeric, words)) if word]


def read_lexicon(path: str | Path) -> list[str]:
    """The normalised words of a Hunspell `.dic` (affixes expanded), a word list (`.gz` too), or a data set's labels.

    Raises UserError where it cannot be read or holds no word.
    """
    lexicon = normalise_words(read_words(path))
    if not lexicon:
        raise UserError(f"{path}: holds no word with a letter a-z or digit; name another list")
    return lexicon


def read_words(path: str | Path) -> list[str]:
    """The words of such a file (`listfile.read_list`) or the labels of a data set as they stand there. Raises UserError
    where it cannot be read.
    """
    path = Path(path)
    return labels(open_reader(path)) if not path.is_file() or _is_labels(path) else read_list(path)


def labels(reader: Reader) -> list[str]:
    """The labels of all samples that have one, in order, as annotated; readers of files need not look at pictures."""
    text_of = getattr(reader, "text", None) or (lambda index: reader[index].text)
    found = []
    for index in range(len(reader)):
        try:
            found.append(text_of(index))
        except CorruptSample:
            continue
    return found


def full(labels: Iterable[str]) -> list[str]:
    """The `full` lexicon of a set: all its distinct normalised labels."""
    return normalise_words(labels)


def draw_lexicons(labels: Sequence[str], size: int, seed: int = SEED) -> Iterator[list[str]]:
    """For each image of a set a lexicon of `size` distinct words from the set's labels, its own label among them.

    The words come sorted, so that their order says nothing. The same (labels, size, seed) give the same lists; an image
    whose label has nothing of 0-9a-z gets `size` other words. Raises TooFewLabels where the set has less than `size`
    distinct labels.
    """
    own = [alphanumeric(label) for label in labels]
    pool = sorted(set(own) - {""})
    if len(pool) < size:
        raise TooFewLabels(f"the set has {len(pool)} distinct labels, less than the {size} words of the lexicon")
    return (_draw(pool, label, size, np.random.default_rng((seed, size, image))) for image, label in enumerate(own))


def _draw(pool: list[str], own: str, size: int, rng: np.random.Generator) -> list[str]:
    picked = [pool[place] for place in rng.permutation(len(pool))[:size]]
    if own and own not in picked:
        picked[0] = own
    return sorted(picked)


def _is_labels(path: Path) -> bool:
    """Whether a file is part of a data set: a list of labels with its pictures, an MJSynth annotation or an LMDB."""
    annotations = path.name.startswith("annotation") and find_annotations(path) is not None
    return path.name == LABELS or is_lmdb(path) or annotations or (path.suffix.lower() in ENDINGS and is_list(path))
