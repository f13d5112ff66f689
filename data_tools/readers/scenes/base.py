"""What readers of photographs share: pictures, each with an annotation, whose bad parts cost only themselves."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from data_tools.images import decode_sample
from data_tools.readers.pictures import read_picture
from data_tools.sample import CorruptSample, EncodedSample, Region, Sample
from data_tools.text import trim

logger = logging.getLogger(__name__)

ILLEGIBLE = "###"
"""The text of what nobody is to read, in the layouts of the ICDAR competitions."""
UNKNOWN = "?"
"""The text of what is to be found, in sets that do not say what it reads."""
FARTHEST = 1e6
"""Coordinates are below this many pixels: no picture is as large, and their squares and areas stay exact enough."""
Flaws = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Annotation:
    """What is said of one photograph: its regions, the parts that made no sense, (place, why), and further texts."""

    regions: tuple[Region, ...] = ()
    flaws: Flaws = ()
    extra: Mapping[str, str] = field(default_factory=dict)


class SceneReader:
    """Photographs below `root` in the order of `names`, their paths there. `layout` says whose annotation it is.

    What `annotate(index)` leaves out of an annotation is named in the log, once.
    """

    layout = ""

    def __init__(self, root: str | Path, names: Sequence[str]):
        self.root, self._names = Path(root), list(names)
        self._named: set[int] = set()

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int) -> Sample:
        return decode_sample(self.stored(index))

    def stored(self, index: int) -> EncodedSample:
        """Sample `index` with its picture as it lies in the file. Raises CorruptSample."""
        annotation, name = self._annotation(index), self._names[index]
        content, text = self._content(index), join_texts(annotation.regions)
        return EncodedSample(content, text, name, annotation.extra, annotation.regions, annotation.flaws)

    def regions(self, index: int) -> tuple[Region, ...]:
        """The regions of sample `index` alone. Raises CorruptSample where there is no annotation."""
        return self._annotation(index).regions

    def text(self, index: int) -> str:
        """The legible texts of sample `index`, a space between them."""
        return join_texts(self.regions(index))

    def annotate(self, index: int) -> Annotation:
        """What is said of photograph `index`. Raises CorruptSample."""
        raise NotImplementedError

    def _content(self, index: int) -> bytes:
        return read_picture(self.root, self._names[index])

    def _annotation(self, index: int) -> Annotation:
        if not 0 <= index < len(self):
            raise IndexError(index)
        found = self.annotate(index)
        if found.flaws and index not in self._named:
            self._named.add(index)
            places = ", ".join(place for place, _ in found.flaws[:5]) + ", …" * (len(found.flaws) > 5)
            text = "%s: %d of its annotation's parts make no sense and are left out: %s (%s)"
            logger.warning(text, self._names[index], len(found.flaws), places, found.flaws[0][1])
        return found


def join_texts(regions: Iterable[Region]) -> str:
    """The legible texts, a space between them."""
    return " ".join(region.text for region in regions if region.legible)


def make_region(points: Any, text: Any, legible: bool = True) -> Region | None:
    """A region of points, pairs or numbers in turn; None where they are no outline of anything. One whose text is
    empty or `ILLEGIBLE` is not legible.
    """
    try:
        polygon = np.asarray(points, np.float64).reshape(-1, 2).astype(np.float32)
    except (TypeError, ValueError, OverflowError):
        return None
    if len(polygon) < 3 or not (np.abs(polygon) < FARTHEST).all() or not (np.ptp(polygon, axis=0) > 0).all():
        return None
    text = " ".join(trim(text).split()) if isinstance(text, str) else ""
    return Region(polygon, text, legible and text not in ("", ILLEGIBLE))


def corners_of(left: float, top: float, right: float, bottom: float) -> list[float]:
    """The corners of a box, from the top left clockwise, as x and y in turn."""
    return [left, top, right, top, right, bottom, left, bottom]


def read_parts(parts: Iterable[Any], parse: Callable[[Any], Region | None], place: str, why: str) -> Annotation:
    """The regions of an annotation's parts; those of which `parse` makes nothing are flaws, by number from 1."""
    regions, flaws = [], []
    for number, part in enumerate(parts, 1):
        region = parse(part)
        if region is None:
            flaws.append((f"{place} {number}", why))
        else:
            regions.append(region)
    return Annotation(tuple(regions), tuple(flaws))


def require_list(value: Any, key: str) -> list:
    """A list of records in a JSON annotation. Raises CorruptSample for anything else."""
    if not isinstance(value, list):
        raise CorruptSample(key, "its annotation is no list", "label")
    return value
