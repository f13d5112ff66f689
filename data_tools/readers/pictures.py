"""What readers of loose files share: annotation files of millions of lines, pictures below one root."""

from __future__ import annotations

import mmap
import os
import re
import stat
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from data_tools.errors import UserError
from data_tools.readers import tables
from data_tools.sample import CorruptSample
from data_tools.text import decode_text, encoding_of, trim

_MAX_BYTES = 256 * 2**20
_PIECE = 16 * 2**20
ENDINGS = ("png", "jpg", "jpeg", "jpe", "bmp", "tif", "tiff", "gif", "webp", "ppm", "pgm", "jp2")
"""Endings of pictures' names as they stand in annotations and folders of data sets, in small letters."""
_ENDING = rf"\.(?:{'|'.join(ENDINGS)})"
_SCRIPT = "(?:Arabic|Latin|Chinese|Japanese|Korean|Bangla|Hindi|Symbols|Mixed|None),"
"""The column between name and label in ICDAR 2017 and 2019's multi-lingual sets."""
_COMMA = re.compile(
    rf'(?P<name>(?:(?!{_ENDING}\s)[^",])+{_ENDING})\s*,(?-i:{_SCRIPT})?\s*(?:"(?P<quoted>.*)"|(?P<label>.*))',
    re.IGNORECASE | re.DOTALL,
)
_LONE_RETURN = re.compile(rb"\r(?!\n)")
_BLANK = 8
"""Bytes of a line up to which it is looked at whether it holds more than white space; every annotation is longer."""


class Lines:
    """The non-blank lines of a text file as bytes, by position; mapped, not held, and pickled as the path alone.

    Raises UserError where the file cannot be opened, is empty or is not text.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        try:
            with open(self.path, "rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if _size(file) else b""
            self._map = _plain(self.path, self._map)
        except OSError as error:
            raise UserError(f"{self.path}: cannot be read ({error.strerror})") from error
        except UnicodeDecodeError as error:
            raise UserError(f"{self.path}: cannot be read as {error.encoding} text; write it in UTF-8") from error
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


def _plain(path: Path, content):
    """The bytes with UTF-8 and line feeds: as mapped, or a copy of a table or of what Windows or an old Mac wrote."""
    start = bytes(content[:65536])
    if path.suffix.lower() in tables.SUFFIXES:
        text = decode_text(bytes(content), fallback=None).removeprefix("\ufeff")
        return tables.to_lines(path, text).encode("utf-8", "surrogatepass")  # what is no character is no label either
    marked = encoding_of(start)
    if marked not in (None, "utf-8-sig"):
        return decode_text(bytes(content)).encode("utf-8")
    return bytes(content).replace(b"\r", b"\n") if _LONE_RETURN.search(content) else content


def _bounds(content) -> tuple[np.ndarray, np.ndarray]:
    """Where each line that holds more than white space begins and ends, less a byte order mark before the first."""
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
    for line in np.flatnonzero(kept & (ends - starts <= _BLANK)):
        kept[line] = bool(content[int(starts[line]) : int(ends[line])].strip(b" \t\r\0\x1a"))
    return starts[kept], ends[kept]


def split_line(line: bytes, key: str) -> tuple[str, str]:
    """Name and label of one annotation line, in any of the published forms: `name TAB label`, `name, "label"` (ICDAR
    2013 and 2015), `name.png,label`, `name.png,Script,label` (ICDAR 2017), or `name label` with other white space.

    Raises CorruptSample where the line is not UTF-8 or has one part only.
    """
    try:
        text = trim(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise CorruptSample(key, "the annotation is not UTF-8", "label") from None
    commas = None if "\t" in text else _COMMA.fullmatch(text)
    if commas:
        name, label = commas["name"], commas["label"] or ""
        if commas["quoted"] is not None:
            label = re.sub(r'\\(["\\])', r"\1", commas["quoted"])
    else:
        parts = text.split("\t", 1) if "\t" in text else text.split(None, 1)
        name, label = (*parts, "", "")[:2]
    name, label = trim(name), trim(label)
    if not name or not label:
        raise CorruptSample(name or key, "the annotation has no label", "label")
    return name, label


def is_picture_name(name: str) -> bool:
    """Whether a file is named like a picture."""
    return name.rpartition(".")[2].lower() in ENDINGS


def read_picture(root: Path, name: str, *folders: str) -> bytes:
    """The file `name` below `root`, in the first of `folders` (default: root itself) that has it. Where no file is
    called so, backslashes are taken as slashes, and letters with marks in Unicode's other form (as a Mac wrote them).

    Raises CorruptSample where it is missing, unreadable or named to lie outside `root`.
    """
    for spelt in _spellings(name):
        for folder in folders or ("",):
            path = os.path.normpath(os.path.join(root, folder, spelt))
            if os.path.commonpath([path, os.path.normpath(root)]) != os.path.normpath(root):
                raise CorruptSample(name, "the path leads out of the data set")
            content = _content(path, name)
            if content is not None:
                return content
    raise CorruptSample(name, "the image file is missing")


def _spellings(name: str) -> Iterable[str]:
    slashed = (name, name.replace("\\", "/"))
    forms = () if name.isascii() else ("NFC", "NFD")
    return dict.fromkeys((*slashed, *(unicodedata.normalize(form, slashed[1]) for form in forms)))


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
