"""What readers of loose files share: annotation files of millions of lines, pictures below one root."""

from __future__ import annotations

import mmap
import os
import stat
from pathlib import Path

import numpy as np

from data_tools.errors import UserError
from data_tools.sample import CorruptSample

_MAX_BYTES = 256 * 2**20
_PIECE = 16 * 2**20


class Lines:
    """The non-blank lines of a text file as bytes, by position; mapped, not held, and pickled as the path alone.

    Raises UserError where the file cannot be opened, is empty or is not text.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        try:
            with open(self.path, "rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if _size(file) else b""
        except OSError as error:
            raise UserError(f"{self.path}: cannot be read ({error.strerror})") from error
        if b"\0" in self._map[:65536]:
            raise UserError(f"{self.path}: is not a text file")
        self._starts, self._ends = _bounds(self._map)
        if not len(self._starts):
            raise UserError(f"{self.path}: is empty; it should have one line for each image")

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, index: int) -> bytes:
        return self._map[int(self._starts[index]) : int(self._ends[index])]

    def __reduce__(self):
        return Lines, (self.path,)


def _size(file) -> int:
    return os.fstat(file.fileno()).st_size


def _bounds(content) -> tuple[np.ndarray, np.ndarray]:
    """Where each line that holds more than a line end begins and ends, less a byte order mark before the first."""
    data = np.frombuffer(content, dtype=np.uint8)
    pieces = [np.flatnonzero(data[at : at + _PIECE] == 0x0A) + at for at in range(0, len(data), _PIECE)]
    feeds = np.concatenate(pieces) if pieces else np.empty(0, np.int64)
    mark = 3 if bytes(content[:3]) == b"\xef\xbb\xbf" else 0
    starts = np.concatenate([[mark], feeds + 1]).astype(np.int64)
    ends = np.concatenate([feeds, [len(data)]]).astype(np.int64)
    returns = ends > starts
    returns[returns] = data[ends[returns] - 1] == 0x0D
    ends = ends - returns
    kept = ends > starts
    return starts[kept], ends[kept]


def split_line(line: bytes, key: str) -> tuple[str, str]:
    """`name label` of one annotation line: parted by the first TAB, or else by the first white space.

    Raises CorruptSample where the line is not UTF-8 or has one part only.
    """
    try:
        text = line.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise CorruptSample(key, "the annotation is not UTF-8") from None
    parts = text.split("\t", 1) if "\t" in text else text.split(None, 1)
    if len(parts) < 2 or not parts[0].strip() or not parts[1].strip():
        raise CorruptSample(parts[0] if parts else key, "the annotation has no label")
    return parts[0].strip(), parts[1].strip()


def read_picture(root: Path, name: str, *folders: str) -> bytes:
    """The file `name` below `root`, in the first of `folders` (default: root itself) that has it.

    Raises CorruptSample where it is missing, unreadable or named to lie outside `root`.
    """
    for folder in folders or ("",):
        path = os.path.normpath(os.path.join(root, folder, name))
        if os.path.commonpath([path, os.path.normpath(root)]) != os.path.normpath(root):
            raise CorruptSample(name, "the path leads out of the data set")
        content = _content(path, name)
        if content is not None:
            return content
    raise CorruptSample(name, "the image file is missing")


def _content(path: str, key: str) -> bytes | None:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_BYTES:
            raise CorruptSample(key, "the image is no ordinary file")
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise CorruptSample(key, "the image file cannot be read") from error
