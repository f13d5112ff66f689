"""The lexicons of a set of photographs, in ICDAR's layout: files in the set's folder, or beside the sets for Generic.

Strong: `voc_img_12.txt` for `img_12.jpg` (`ch4_test_vocabularies_per_image/`), or what a photograph brings along (SVT's
xml). Weak: `*vocabulary.txt` (`ch4_test_vocabulary.txt`). Generic: `*generic*.txt` (`GenericVocabulary.txt`). A word a
line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from data_tools.errors import UserError
from data_tools.lexicons import read_words
from data_tools.readers import regions_of
from data_tools.readers.scenes.base import UNKNOWN
from data_tools.readers.walk import walk
from data_tools.sample import CorruptSample, Reader, Sample
from ocr.scores import normalise

STRONG = "voc_{}.txt"
WEAK, GENERIC = ("*vocabulary.txt", "*vocabulary_new.txt"), ("*generic*.txt",)
WordsOf = Callable[[Sample], Any]
Prepare = Callable[[Sequence[str]], Any]


class LexiconFiles:
    """The text files of a set's folder that are lexicons, and those of the folder of sets, `root`."""

    def __init__(self, folder: Path, root: Path):
        inside = [here / name for here, _, names in walk(folder) for name in names if name.endswith(".txt")]
        self._strong = {path.name: path for path in inside if path.name.startswith("voc_")}
        self._inside = [path for path in inside if path.name not in self._strong]
        self._beside = sorted(root.glob("*.txt")) if root.is_dir() else []

    def open(self, column: str, data: Reader, prepare: Prepare) -> WordsOf:
        """What gives the words for a photograph, ready for the reader (`prepare` makes them so). Raises UserError where
        the set has none.
        """
        if column == "S":
            return self._open_strong(data, prepare)
        words = prepare(_words_of(data) if column == "full" else _read_all(self._find(column)))
        return lambda sample: words

    def _open_strong(self, data: Reader, prepare: Prepare) -> WordsOf:
        """Words by photograph; each must have some, or the column would mean another thing for a part of the set."""
        found: dict[str, list[str]] = {}
        for index in range(len(data)):
            try:
                sample = data.stored(index)
            except CorruptSample:
                continue
            name = STRONG.format(Path(sample.key).stem)
            if name in self._strong:
                found[sample.key] = _read_all(self._strong[name])
            elif words := [word for word in re.split(r"[,\s]+", sample.extra.get("lexicon", "")) if word]:
                found[sample.key] = words
            else:
                raise UserError(f"{name} is missing")
        return lambda sample: prepare(found[sample.key])

    def _find(self, column: str) -> Path:
        generic = [path for path in [*self._inside, *self._beside] if fnmatchcase(path.name.lower(), GENERIC[0])]
        among, patterns = (generic, GENERIC) if column == "G" else (self._inside, WEAK)
        for pattern in patterns:
            for path in among:
                if fnmatchcase(path.name.lower(), pattern) and (column == "G") == (path in generic):
                    return path
        raise UserError(f"no {' or '.join(patterns)} in its folder")


def _read_all(path: Path) -> list[str]:
    words = [word for word in read_words(path) if word]
    if not words:
        raise UserError(f"{path}: holds no word")
    return words


def _words_of(data: Reader) -> list[str]:
    """All words of a set's annotations that have a letter or digit, each once."""
    words: dict[str, None] = {}
    for index in range(len(data)):
        try:
            regions = regions_of(data, index)
        except CorruptSample:
            continue
        words |= dict.fromkeys(region.text for region in regions if region.legible and region.text != UNKNOWN)
    found = [word for word in words if normalise(word)]
    if not found:
        raise UserError("its annotations say no text")
    return found
