"""What every reader gives: an image, its text, a key that names it, and for photographs the regions of text in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from PIL import Image

Part = Literal["image", "label"]


@dataclass(frozen=True)
class Region:
    """A piece of text in a photograph: its outline float32 (P, 2), x and y in pixels of the picture, and what it says.

    A region that is not `legible` is there, but its text is unknown; nobody is to find or read it, nor blamed for it.
    Words of one `line` share its number (-1: unknown). A photograph's regions stand in reading order where it is known.
    """

    polygon: np.ndarray
    text: str
    legible: bool = True
    line: int = -1


@dataclass(frozen=True)
class Sample:
    """One image with its label, exactly as drawn or annotated; `key` names it within its data set.

    `extra` holds further texts of the sample by name, such as a score's `agnostic` encoding; an LMDB keeps them.
    `regions` are the texts of a photograph; pictures of one line have none. `flaws` are the parts of its annotation
    that made no sense and are left out, each (place, why). `image` is None in a set of texts alone.
    """

    image: Image.Image | None
    text: str
    key: str
    extra: Mapping[str, str] = field(default_factory=dict)
    regions: tuple[Region, ...] = ()
    flaws: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class EncodedSample:
    """A sample whose picture is still the bytes of a file, as readers of files give it by `stored(index)`."""

    content: bytes
    text: str
    key: str
    extra: Mapping[str, str] = field(default_factory=dict)
    regions: tuple[Region, ...] = ()
    flaws: tuple[tuple[str, str], ...] = ()


class CorruptSample(Exception):
    """A sample that cannot be used; readers raise it from `__getitem__`, loaders count, log and skip it.

    `part` says what is wrong: the "image", or the "label" (any text or annotation), without which nobody can say
    whether a reading of the image is right.
    """

    def __init__(self, key: str, why: str, part: Part = "image"):
        super().__init__(f"{key}: {why}")
        self.key, self.why, self.part = key, why, part

    def __reduce__(self):
        return CorruptSample, (self.key, self.why, self.part)


class Reader(Protocol):
    """A data set: samples by position. `reader[i]` raises CorruptSample; the same `i` is always the same sample."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...
