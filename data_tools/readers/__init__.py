"""Readers: any data set as samples by position. `open_reader` finds out which kind a path is."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

from data_tools.errors import UserError
from data_tools.images import opened
from data_tools.readers.folder import FolderReader, is_folder
from data_tools.readers.lmdb import LmdbReader, is_lmdb
from data_tools.readers.mjsynth import MjsynthReader, find_annotations
from data_tools.readers.primus import PrimusReader, is_primus
from data_tools.sample import CorruptSample, Reader, Sample, Stored

KINDS = "an LMDB, folders of LMDBs, a folder with gt.txt, an MJSynth annotation file or a PrIMuS folder"


class Concatenated:
    """Several readers of files as one set; keys begin with the name of the part."""

    def __init__(self, parts: Sequence[tuple[str, Reader]]):
        self._names = [name for name, _ in parts]
        self._readers = [reader for _, reader in parts]
        self._ends = list(accumulate(len(reader) for reader in self._readers))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> Sample:
        return opened(self.stored(index))

    def stored(self, index: int) -> Stored:
        """Sample `index` with its picture as it lies in the file."""
        name, reader, place = self._find(index)
        try:
            stored = reader.stored(place)
        except CorruptSample as corrupt:
            raise CorruptSample(f"{name}/{corrupt.key}", corrupt.why) from corrupt
        return replace(stored, key=f"{name}/{stored.key}")

    def text(self, index: int) -> str:
        """The label of sample `index` alone; its picture is not looked at."""
        _, reader, place = self._find(index)
        return reader.text(place)

    def _find(self, index: int) -> tuple[str, Reader, int]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        part = bisect_right(self._ends, index)
        return self._names[part], self._readers[part], index - (self._ends[part - 1] if part else 0)


def open_reader(path: str | Path) -> Reader:
    """The reader for `path`: an LMDB, report folder, MJSynth, PrIMuS, or folders of LMDBs or report folders as one.

    Raises UserError where it is none of these, cannot be read or is empty.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path}: there is no such file or folder; name {KINDS}")
    reader = _open_one(path) or _open_nested(path)
    if reader is None:
        raise UserError(f"{path}: no data set was found here; name {KINDS}")
    return reader


def open_readers(paths: Sequence[str | Path]) -> Reader:
    """All of `paths` as one set."""
    if len(paths) == 1:
        return open_reader(paths[0])
    if not paths:
        raise UserError("no data set was named")
    return Concatenated([(str(path), open_reader(path)) for path in paths])


def _open_one(path: Path) -> Reader | None:
    if is_lmdb(path):
        return LmdbReader(path)
    if path.name == "gt.txt" and path.is_file():
        return FolderReader(path.parent)
    if path.is_dir() and is_folder(path):
        return FolderReader(path)
    annotations = find_annotations(path)
    if annotations is not None:
        return MjsynthReader(annotations)
    return PrimusReader(path) if is_primus(path) else None


def _open_nested(path: Path) -> Reader | None:
    parts = [(str(each.relative_to(path)), _open_one(each)) for each in _members(path)]
    if len(parts) == 1:
        return parts[0][1]
    return Concatenated(parts) if parts else None


def _members(path: Path) -> Iterator[Path]:
    """LMDBs and report folders below `path`, in the order of their names; nothing inside one of them."""
    for folder, inside, files in os.walk(path):
        inside.sort()
        here = Path(folder)
        if is_lmdb(here) or is_folder(here):
            inside.clear()
            yield here
            continue
        for name in sorted(files):
            if name.endswith((".lmdb", ".mdb")) and is_lmdb(here / name):
                yield here / name
