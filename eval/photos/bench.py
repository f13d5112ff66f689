"""Reads sets of photographs and judges them by their protocols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from data_tools.errors import UserError
from eval.photos.lexicons import LexiconFiles
from eval.photos.peer import Race
from eval.photos.protocols import FOUND, Family, find_family, is_named
from eval.photos.sets import PhotoSet
from ocr.scores import NO_LEXICON, Measured, Scores, measure


@dataclass(frozen=True)
class Choices:
    """What is measured: `columns` of lexicons (None: those of which a set has files), photographs a set (`limit`, 0:
    all), and the sets that are said to be annotated `partial`ly or in `lines`, besides those that are known to be.
    """

    columns: Sequence[str] | None = None
    limit: int = 0
    partial: Sequence[str] = ()
    lines: Sequence[str] = ()

    def family_of(self, photos: PhotoSet) -> Family:
        """How a set is judged."""
        known = find_family(photos.name, photos.layout)
        unit = "lines" if is_named(photos.name, self.lines) else known.unit
        return Family(known.name, unit, known.partial or is_named(photos.name, self.partial))


@dataclass(frozen=True)
class SetResult:
    """A set that was read; `left_out` says of each column without figures why. With a peer also its scores, and the
    seconds (own, peer) of each photograph.
    """

    name: str
    family: Family
    measured: Measured
    left_out: dict[str, str] = field(default_factory=dict)
    peer: Scores | None = None
    seconds: tuple[tuple[float, float], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The figures as plain values."""
        values = self.measured.values() | {"unit": self.family.unit, "partial": self.family.partial}
        values |= {"left_out": self.left_out} if self.left_out else {}
        return values | ({"peer": self.peer.values(), "times": self.times} if self.peer else {})

    @property
    def times(self) -> dict[str, float]:
        """Median seconds a photograph, and the median of the photographs' own ratios, peer to own."""
        own, peer = np.array(self.seconds).reshape(-1, 2).T
        if not len(own):
            return {}
        return {"own": np.median(own).item(), "peer": np.median(peer).item(), "ratio": np.median(peer / own).item()}


def evaluate(reader, photos: PhotoSet, root: Path, choices: Choices) -> SetResult:
    """One set, read by a `PhotoReader` or a stand-in. Raises UserError."""
    family, left_out, lexicons = choices.family_of(photos), {}, {}
    files = LexiconFiles(photos.path if photos.path.is_dir() else photos.path.parent, root)
    for column in [column for column in choices.columns or FOUND if column != NO_LEXICON]:
        try:
            lexicons[column] = files.open(column, photos.reader, partial(_prepare, reader))
        except UserError as error:
            if choices.columns is not None:
                left_out[column] = str(error)
    measured = measure(reader, photos.reader, Scores(family.unit, family.partial), lexicons, choices.limit)
    if not isinstance(reader, Race):
        return SetResult(photos.name, family, measured, left_out)
    pages, seconds = reader.take()
    peer = Scores(family.unit, family.partial)
    for page, (_, _, judged) in zip(pages, measured.photographs, strict=True):
        peer.add(page, judged.truths)
    return SetResult(photos.name, family, measured, left_out, peer, tuple(seconds))


def _prepare(reader, words: Sequence[str]) -> Any:
    """Words as the recogniser of a reader takes them, made ready once for all photographs."""
    tokenizer = getattr(getattr(reader, "recognizer", None), "tokenizer", None)
    if tokenizer is None:
        return list(words)
    from crnn_jt.spelling import spell_out

    return spell_out(words, tokenizer)
