"""Opening a path as the data set that it is; several data sets as one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

from data_tools.errors import UserError
from data_tools.images import decode_sample
from data_tools.readers.folder import ENDINGS, LABELS, FolderReader, find_list, is_folder, is_list
from data_tools.readers.lmdb import LmdbReader, is_lmdb
from data_tools.readers.mjsynth import MjsynthReader, find_annotations
from data_tools.readers.nearest import describe_nearest
from data_tools.readers.primus import PrimusReader, is_primus
from data_tools.readers.scenes.find import find_scenes
from data_tools.readers.scenes.tables import open_part
from data_tools.readers.walk import DEPTH, walk
from data_tools.sample import CorruptSample, EncodedSample, Reader, Region, Sample

KINDS = (
    "an LMDB, folders of LMDBs, a folder with gt.txt, an MJSynth annotation file, a PrIMuS folder or photographs with "
    "regions of text"
)
LAYOUTS = (
    "an LMDB (data.mdb or X.lmdb), a list of labels (gt.txt, *_GT.txt, labels.txt/csv/json) with its pictures, MJSynth "
    "(annotation*.txt and lexicon.txt), PrIMuS (ID/ID.semantic), photographs with regions of text (image/STEM.jpg and "
    "gt/STEM.txt, words.xml, Label.txt, gt.mat …; docs/data.md lists them)"
)


class Concatenated:
    """Several readers of files as one set; keys begin with the name of the part."""

    def __init__(self, parts: Sequence[tuple[str, Reader]]):
        self._names = [name for name, _ in parts]
        self._readers = [reader for _, reader in parts]
        self._ends = list(accumulate(len(reader) for reader in self._readers))

    @property
    def layout(self) -> str:
        """The layouts of the parts, each once."""
        return ", ".join(dict.fromkeys(filter(None, map(layout_of, self._readers))))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> Sample:
        return decode_sample(self.stored(index))

    def stored(self, index: int) -> EncodedSample:
        """Sample `index` with its picture as it lies in the file."""
        name, reader, place = self._find(index)
        try:
            stored = reader.stored(place)
        except CorruptSample as corrupt:
            raise CorruptSample(f"{name}/{corrupt.key}", corrupt.why, corrupt.part) from corrupt
        return replace(stored, key=f"{name}/{stored.key}")

    def text(self, index: int) -> str:
        """The label of sample `index` alone; its picture is not looked at."""
        _, reader, place = self._find(index)
        return reader.text(place)

    def regions(self, index: int) -> tuple[Region, ...]:
        """The regions of photograph `index` alone. Raises CorruptSample."""
        name, reader, place = self._find(index)
        try:
            return regions_of(reader, place)
        except CorruptSample as corrupt:
            raise CorruptSample(f"{name}/{corrupt.key}", corrupt.why, corrupt.part) from corrupt

    def _find(self, index: int) -> tuple[str, Reader, int]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        part = bisect_right(self._ends, index)
        return self._names[part], self._readers[part], index - (self._ends[part - 1] if part else 0)


def open_reader(path: str | Path) -> Reader:
    """The reader for `path`: an LMDB, report folder, MJSynth, PrIMuS, photographs, or folders of such as one.

    Raises UserError where it is none of these, cannot be read or is empty.
    """
    path = Path(path)
    if not path.exists():
        part = open_part(path)
        if part is not None:
            return part
        raise UserError(f"{path}: there is no such file or folder; name {KINDS}")
    try:
        reader = _open_one(path) or _open_nested(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    if reader is None:
        raise UserError(
            f"{path}: no data set was found here, {DEPTH} levels deep; looked for {LAYOUTS}; nearest: "
            f"{describe_nearest(path)}"
        )
    return reader


def regions_of(reader: Reader, index: int) -> tuple[Region, ...]:
    """The regions of photograph `index`; its picture is not decoded where the reader can do without. May raise
    CorruptSample.
    """
    return reader.regions(index) if hasattr(reader, "regions") else reader[index].regions


def layout_of(reader: Reader) -> str:
    """Whose layout of photographs a data set has, of several parts those of all; empty for sets of other kinds."""
    return getattr(reader, "layout", "")


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
    if path.name == LABELS and path.is_file():
        return FolderReader(path.parent)
    if path.is_dir() and is_folder(path):
        return FolderReader(path)
    annotations = find_annotations(path)
    if annotations is not None:
        return MjsynthReader(annotations)
    scenes = find_scenes(path)
    if scenes is not None:
        return scenes
    if path.is_file():
        return FolderReader(path.parent, path.name) if path.suffix.lower() in ENDINGS and is_list(path) else None
    if is_primus(path):
        return PrimusReader(path)
    labels = find_list(path)
    return FolderReader(path, labels) if labels else None


def _open_nested(path: Path) -> Reader | None:
    if not path.is_dir():
        return None
    parts = [(str(each.relative_to(path)), reader) for each, reader in _members(path)]
    if len(parts) == 1:
        return parts[0][1]
    return Concatenated(parts) if parts else None


def _members(path: Path) -> Iterator[tuple[Path, Reader]]:
    """LMDBs, folders with a list of labels and photographs below `path`, in the order of their names; nothing inside
    one of them.
    """
    for here, inside, files in walk(path):
        reader = _open_one(here) if is_lmdb(here) or find_list(here) else find_scenes(here)
        if reader is not None:
            inside.clear()
            yield here, reader
            continue
        for name in files:
            if name.endswith((".lmdb", ".mdb")) and is_lmdb(here / name):
                yield here / name, LmdbReader(here / name)
