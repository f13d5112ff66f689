"""Pictures without labels: folders of nothing but pictures, and data sets whose labels are not looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from data_tools.errors import UserError
from data_tools.images import decode_sample
from data_tools.readers.lmdb import LmdbReader, is_lmdb
from data_tools.readers.open import Concatenated, open_reader
from data_tools.readers.pictures import is_picture_name, read_picture
from data_tools.readers.walk import walk
from data_tools.sample import EncodedSample, Reader, Sample


class PictureFolder:
    """Every picture file below a folder, in the order of their paths, which are the keys. Raises UserError without."""

    def __init__(self, root: str | Path):
        self.root = Path(root)
        self._names = [
            str((here / name).relative_to(self.root))
            for here, _, files in walk(self.root)
            for name in files
            if is_picture_name(name)
        ]
        if not self._names:
            raise UserError(f"{root}: no pictures and no LMDB in this folder")

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int) -> Sample:
        return decode_sample(self.stored(index))

    def stored(self, index: int) -> EncodedSample:
        """Sample `index` with its picture as it lies in the file."""
        name = self._names[index]
        return EncodedSample(read_picture(self.root, name), "", name)


@dataclass(frozen=True)
class Numbered:
    """A reader whose texts are the samples' places, which a batch can be traced by; its labels are hidden."""

    reader: Reader

    def __len__(self) -> int:
        return len(self.reader)

    def __getitem__(self, index: int) -> Sample:
        return replace(self.reader[index], text=str(index))


@dataclass(frozen=True)
class Relabelled:
    """Some places of a reader, under other labels."""

    reader: Reader
    places: tuple[int, ...]
    texts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> Sample:
        return replace(self.reader[self.places[index]], text=self.texts[index])


def open_unlabelled(paths: Sequence[str | Path]) -> Reader:
    """The pictures of all paths: of an LMDB, of LMDBs in a folder, else every picture file below the folder; of a list
    of labels those that it names. Labels are empty or not to be looked at. Raises UserError.
    """
    parts = [(str(path), _open(Path(path))) for path in paths]
    return parts[0][1] if len(parts) == 1 else Concatenated(parts)


def _open(path: Path) -> Reader:
    if is_lmdb(path):
        return LmdbReader(path, labelled=False)
    if not path.is_dir():
        return open_reader(path)
    inside = [here for here, _, _ in walk(path) if is_lmdb(here)]
    if inside:
        parts = [(str(here.relative_to(path)), LmdbReader(here, labelled=False)) for here in inside]
        return parts[0][1] if len(parts) == 1 else Concatenated(parts)
    return PictureFolder(path)
