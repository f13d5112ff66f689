"""The report's folder layout: `<SET>/gt.txt` (image name, white space, label) and the pictures in `<SET>/image/`."""

from __future__ import annotations

from pathlib import Path

from data_tools.images import opened
from data_tools.readers.pictures import Lines, read_picture, split_line
from data_tools.sample import CorruptSample, Sample, Stored

LABELS = "gt.txt"
PICTURES = "image"


class FolderReader:
    """One set in the report's layout; samples are the lines of gt.txt, keys the image names.

    A name holds no white space unless a TAB parts it from the label. Pictures may also lie beside gt.txt. Files
    `gt.NAME.txt`, line by line beside gt.txt, hold further texts of the samples (`Sample.extra`).
    """

    def __init__(self, root: str | Path):
        self.root = Path(root)
        self._labels = Lines(self.root / LABELS)
        others = sorted(self.root.glob("gt.*.txt"))
        self._others = {path.name[len("gt.") : -len(".txt")]: Lines(path) for path in others}

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> Sample:
        return opened(self.stored(index))

    def stored(self, index: int) -> Stored:
        """Sample `index` with its picture as it lies in the file."""
        name, text = split_line(self._labels[index], f"{LABELS}:{index + 1}")
        extra = {kind: self._other(lines, kind, index, name) for kind, lines in self._others.items()}
        return Stored(read_picture(self.root, name, PICTURES, ""), text, name, extra)

    def text(self, index: int) -> str:
        """The label of sample `index` alone; its picture is not looked at."""
        return split_line(self._labels[index], f"{LABELS}:{index + 1}")[1]

    @staticmethod
    def _other(lines: Lines, kind: str, index: int, name: str) -> str:
        named, text = split_line(lines[index], name) if index < len(lines) else ("", "")
        if named != name:
            raise CorruptSample(name, f"gt.{kind}.txt does not have it in the same line")
        return text


def is_folder(path: Path) -> bool:
    """Whether `path` is one set in this layout."""
    return (path / LABELS).is_file()
