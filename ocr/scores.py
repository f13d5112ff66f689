"""How well photographs were read: regions found, words read where they are, words read at all, characters.

Words are compared as lower-case letters and digits; percentages are 0-100. `ocr test` and `eval photos` measure alike.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from rapidfuzz.distance import Levenshtein

from crnn_jt.matching import Counts, Match, count, match
from data_tools.readers.scenes.base import UNKNOWN
from data_tools.sample import CorruptSample, Reader, Region, Sample
from ocr.deteval import AreaCounts, count_by_area
from ocr.page import Page

logger = logging.getLogger(__name__)

UNITS = ("words", "lines")
NO_LEXICON = "none"


class Reading(Protocol):
    """What reads photographs: an `ocr.PhotoReader`, or a stand-in."""

    def read(self, picture: Any, lexicon: Any = None) -> Page: ...

    def find(self, picture: Any) -> Page: ...


def normalise(text: str) -> str:
    """Lower-case letters and digits alone."""
    return "".join(character for character in text.lower() if character.isalnum())


def split(text: str) -> list[str]:
    """The words of a text as they are compared; those without a letter or digit are none."""
    return [word for word in map(normalise, text.split()) if word]


@dataclass(frozen=True)
class Judged:
    """One photograph: the texts and outlines that were found, the regions that are there, who matches whom, and which
    of the found ones are read right.
    """

    texts: tuple[str, ...]
    outlines: tuple[np.ndarray, ...]
    truths: tuple[Region, ...]
    match: Match
    right: frozenset[int]

    @property
    def end_to_end(self) -> Counts:
        """Regions found and read right."""
        return Counts(len(self.right), len(self.match.found), len(self.match.truths))

    @property
    def found_words(self) -> list[str]:
        """The words that were read, in reading order; what lies in a region that is not judged is left out."""
        return [word for place in self.match.found for word in split(self.texts[place])]

    @property
    def true_words(self) -> list[str]:
        """The words that are to be read."""
        return [word for region in self.truths if region.legible for word in split(region.text)]


def judge(page: Page, truths: Sequence[Region], unit: str = "words") -> Judged:
    """A page against the regions that are there, which are words or lines: so must be what was found."""
    pieces = [(line.text, line.polygon) for line in page.lines]
    if unit == "words":
        pieces = [(word.text, word.quad) for word in page.words]
    outlines = tuple(outline for _, outline in pieces)
    matched = match(outlines, truths)
    right = (a for a, b in matched.pairs if normalise(pieces[a][0]) == normalise(truths[b].text))
    return Judged(tuple(text for text, _ in pieces), outlines, tuple(truths), matched, frozenset(right))


@dataclass
class Scores:
    """Sums over photographs; `add` one after the other, then `values`. Of a `partial` set some words alone are
    annotated; nobody knows whether what else is found is wrong, and recall alone is told.
    """

    unit: str = "words"
    partial: bool = False
    n: int = 0
    detection: Counts = field(default_factory=Counts)
    deteval: AreaCounts = field(default_factory=AreaCounts)
    end_to_end: dict[str, Counts] = field(default_factory=dict)
    words: Counts = field(default_factory=Counts)
    edits: int = 0
    characters: int = 0

    def add(self, page: Page, truths: Sequence[Region], others: Mapping[str, Page] | None = None) -> Judged:
        """Counts one page against the regions that are there, and `others`, the page as it is read with lexicons."""
        self.n += 1
        judged = judge(page, truths, self.unit)
        self.detection += count(judged.match)
        self.deteval += count_by_area(judged.outlines, truths)
        found, wanted = judged.found_words, judged.true_words
        self.words += match_words(found, wanted)
        text, truth = " ".join(found), " ".join(wanted)
        self.edits, self.characters = self.edits + Levenshtein.distance(text, truth), self.characters + len(truth)
        for name, other in {NO_LEXICON: page, **(others or {})}.items():
            counts = judged if name == NO_LEXICON else judge(other, truths, self.unit)
            self.end_to_end[name] = self.end_to_end.get(name, Counts()) + counts.end_to_end
        return judged

    def values(self) -> dict[str, Any]:
        """The scores as plain values; None for what the set cannot tell: texts where it has none, precision where it is
        partial.
        """
        words = self.words.scores()
        ends = {name: counts.scores() for name, counts in (self.end_to_end or {NO_LEXICON: Counts()}).items()}
        values = {
            "n": self.n,
            "detection": self.detection.scores(),
            "deteval": self.deteval.scores(),
            "end_to_end": ends,
            "words": {"recall": words["recall"], "precision": words["precision"], "f1": words["hmean"]},
            "cer": 100 * self.edits / max(1, self.characters),
        }
        silent = self.n > 0 and not self.words.truths
        if silent:
            values |= {"end_to_end": {name: dict.fromkeys(each) for name, each in ends.items()}, "cer": None}
            values["words"] = dict.fromkeys(values["words"])
        return _recall_alone(values) if self.partial else values


def _recall_alone(values: dict[str, Any]) -> dict[str, Any]:
    """The values without what false alarms have a part in."""
    hidden = ("precision", "hmean", "f1", "cer")
    return {
        name: None if name in hidden else _recall_alone(value) if isinstance(value, dict) else value
        for name, value in values.items()
    }


def _is_silent(regions: Sequence[Region]) -> bool:
    """Whether of no region it is said what it reads."""
    texts = {region.text for region in regions if region.legible}
    return texts == {UNKNOWN}


def match_words(found: Sequence[str], wanted: Sequence[str]) -> Counts:
    """Words as multisets, wherever they are."""
    both = Counter(found) & Counter(wanted)
    return Counts(both.total(), len(found), len(wanted))


@dataclass
class Measured:
    """A data set that was read: the scores, its photographs as (position, key, judged), and those that do not open."""

    scores: Scores
    photographs: list[tuple[int, str, Judged]] = field(default_factory=list)
    skipped: list[CorruptSample] = field(default_factory=list)

    def values(self) -> dict[str, Any]:
        """The scores as plain values, with the number of photographs that were left out, if any."""
        return self.scores.values() | ({"skipped": len(self.skipped)} if self.skipped else {})


def measure(
    reader: Reading,
    data: Reader,
    scores: Scores,
    lexicons: Mapping[str, Callable[[Sample], Any]] | None = None,
    limit: int = 0,
) -> Measured:
    """Reads the photographs of a data set (`limit` at most, 0: all) into `scores`, again with each of the `lexicons`,
    which give the words for a photograph. Where the texts are unknown, it is only found. Progress goes to stderr.
    """
    from tqdm import tqdm

    measured = Measured(scores)
    for index in tqdm(range(min(len(data), limit or len(data))), unit="photo", disable=None):
        try:
            sample = data[index]
        except CorruptSample as corrupt:
            logger.warning("skipped %s", corrupt)
            measured.skipped.append(corrupt)
            continue
        others = {name: reader.read(sample.image, words_of(sample)) for name, words_of in (lexicons or {}).items()}
        page = reader.find(sample.image) if _is_silent(sample.regions) else reader.read(sample.image)
        judged = scores.add(page, sample.regions, others)
        measured.photographs.append((index, sample.key, judged))
    return measured
