"""Pictures with a list of labels: the report's `<SET>/gt.txt` and `<SET>/image/`, and the lists of others.

Lists of other names are read too (ICDAR's `*_GT.txt`, `labels.txt`, PaddleOCR's `rec_gt_train.txt`), in all forms that
`split_line` knows, and tables (`labels.json`, `labels.csv`, `metadata.jsonl`); the pictures lie where the first of them
is found.
"""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path

from data_tools.errors import UserError
from data_tools.images import decode_sample
from data_tools.readers import tables
from data_tools.readers.pictures import Lines, is_picture_name, read_picture, split_line
from data_tools.readers.walk import is_side
from data_tools.sample import CorruptSample, EncodedSample, Sample

LABELS = "gt.txt"
PICTURES = "image"
OTHERS = ("gt.txt", "labels.*", "label.*", "*_gt.*", "rec_gt*.*", "metadata.csv", "metadata.jsonl")
ENDINGS = (".txt", *tables.SUFFIXES)
"""Names of lists of labels in small letters (`GT.TXT` beside `gt.txt`), and how they end."""
_TRIED = 20


class FolderReader:
    """One set in this layout; samples are the lines of its list (default: gt.txt), keys the image names.

    A name holds no white space unless a TAB or comma separates it from the label. Pictures lie in image/, beside the
    list, or in another folder there that has the first of them. Files `gt.NAME.txt`, line by line as gt.txt, hold
    further texts of the samples (`Sample.extra`).
    """

    def __init__(self, root: str | Path, labels: str = LABELS):
        self.root, self.labels = Path(root), labels
        self._labels = Lines(self.root / labels)
        others = sorted(self.root.glob("gt.*.txt")) if labels == LABELS else []
        self._others = {path.name[len("gt.") : -len(".txt")]: Lines(path) for path in others}
        self._folders = (PICTURES, "", *_folders_with_pictures(self.root, self._labels))

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> Sample:
        return decode_sample(self.stored(index))

    def stored(self, index: int) -> EncodedSample:
        """Sample `index` with its picture as it lies in the file."""
        name, text = split_line(self._labels[index], f"{self.labels}:{index + 1}")
        extra = {kind: self._other(lines, kind, index, name) for kind, lines in self._others.items()}
        return EncodedSample(read_picture(self.root, name, *self._folders), text, name, extra)

    def text(self, index: int) -> str:
        """The label of sample `index` alone; its picture is not looked at."""
        return split_line(self._labels[index], f"{self.labels}:{index + 1}")[1]

    @staticmethod
    def _other(lines: Lines, kind: str, index: int, name: str) -> str:
        named, text = split_line(lines[index], name) if index < len(lines) else ("", "")
        if named != name:
            raise CorruptSample(name, f"gt.{kind}.txt does not have it in the same line", "label")
        return text


def is_folder(path: Path) -> bool:
    """Whether `path` is one set with a gt.txt."""
    return (path / LABELS).is_file()


def find_list(path: Path) -> str | None:
    """The name of a folder's list of labels: gt.txt, or the only one of `OTHERS` whose pictures are there.

    Raises UserError where there are several (train, test), so that they are not mixed by accident.
    """
    if is_folder(path):
        return LABELS
    try:
        texts = sorted(name for name in os.listdir(path) if name.lower().endswith(ENDINGS) and not is_side(name))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    named = [name for name in texts if any(fnmatchcase(name.lower(), pattern) for pattern in OTHERS)]
    found = [name for name in named if is_list(path / name)]
    if len(found) > 1:
        raise UserError(f"{path}: has {', '.join(found)}; name one of them")
    return found[0] if found else None


def is_list(path: Path) -> bool:
    """Whether a text file is a list of labels: one of the pictures that its first lines name is there."""
    try:
        reader = FolderReader(path.parent, path.name)
    except UserError:
        return False
    for index in range(min(_TRIED, len(reader))):
        try:
            if is_picture_name(reader.stored(index).key):
                return True
        except CorruptSample:
            continue
    return False


def _folders_with_pictures(root: Path, lines: Lines) -> list[str]:
    """Folders beside the list, other than image/, that hold a picture that its first lines name."""
    names = []
    for index in range(min(_TRIED, len(lines))):
        try:
            names.append(split_line(lines[index], "")[0])
        except CorruptSample:
            continue
    if not names or any((root / folder / name).is_file() for folder in (PICTURES, "") for name in _short(names)):
        return []
    with os.scandir(root) as entries:
        folders = sorted(entry.name for entry in islice(entries, 10_000) if entry.is_dir() and not is_side(entry.name))
    return [folder for folder in folders if any((root / folder / name).is_file() for name in _short(names))]


def _short(names: list[str]) -> list[str]:
    """Names that a file can have."""
    return [name for name in names if len(name) < 255 and "\0" not in name]
