"""What every reader gives: an image, its text and a key that names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from PIL import Image


@dataclass(frozen=True)
class Sample:
    """One image with its label, exactly as drawn or annotated; `key` names it within its data set.

    `extra` holds further texts of the sample by name, such as a score's `agnostic` encoding; an LMDB keeps them.
    """

    image: Image.Image
    text: str
    key: str
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stored:
    """A sample whose picture is still the bytes of a file, as readers of files give it by `stored(index)`."""

    content: bytes
    text: str
    key: str
    extra: Mapping[str, str] = field(default_factory=dict)


class CorruptSample(Exception):
    """A sample that cannot be used; readers raise it from `__getitem__`, loaders count, log and skip it."""

    def __init__(self, key: str, why: str):
        super().__init__(f"{key}: {why}")
        self.key, self.why = key, why

    def __reduce__(self):
        return CorruptSample, (self.key, self.why)


class Reader(Protocol):
    """A data set: samples by position. `reader[i]` raises CorruptSample; the same `i` is always the same sample."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...
