"""PrIMuS and Camera-PrIMuS as published: `<id>/<id>.png`, `.semantic`, `.agnostic`, `.mei`, `<id>_distorted.jpg`.

The score folders may lie in one folder or in packages (`package_aa/<id>/…`). A split file names one score a line.
Source: J. Calvo-Zaragoza and D. Rizo 2018 (https://grfia.dlsi.ua.es/primus/).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from data_tools.errors import UserError
from data_tools.images import opened
from data_tools.music.vocabulary import ENCODINGS
from data_tools.readers.pictures import read_picture
from data_tools.sample import CorruptSample, Sample, Stored

_ENDINGS = (".png", ".semantic", ".agnostic", ".mei", ".jpg")


class PrimusReader:
    """Scores of a PrIMuS folder in the order of their ids, or of the lines of `split`.

    `split` is a file of ids, or the name ("train", "test") of one that lies in the folder or beside it. The label is
    the `encoding`, symbols joined by single spaces; the other encoding is an extra. `camera` reads the distorted ones.

    Raises UserError where the folder or split cannot be read, or holds no score.
    """

    def __init__(
        self, root: str | Path, split: str | Path | None = None, encoding: str = "semantic", camera: bool = False
    ):
        self.root, self.encoding, self.camera = Path(root), encoding, camera
        if encoding not in ENCODINGS:
            raise UserError(f"{encoding}: no such music encoding; there are: {', '.join(ENCODINGS)}")
        try:
            folders = {folder.name: str(folder.relative_to(self.root)) for folder in _score_folders(self.root)}
        except OSError as error:
            raise UserError(f"{root}: cannot be read ({error.strerror})") from error
        if not folders:
            raise UserError(f"{root}: holds no PrIMuS score (a folder ID with ID.semantic in it)")
        keys = sorted(folders) if split is None else _split_keys(self.root, split)
        self._places = [(key, folders.get(key, "")) for key in keys]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Sample:
        return opened(self.stored(index))

    def stored(self, index: int) -> Stored:
        """Sample `index` with its picture as it lies in the file."""
        key, folder = self._places[index]
        name = f"{key}_distorted.jpg" if self.camera else f"{key}.png"
        other = next(encoding for encoding in ENCODINGS if encoding != self.encoding)
        further = self._encoding(index, other, needed=False)
        extra = {other: further} if further else {}
        content = read_picture(self.root, os.path.join(folder, name)) if folder else None
        if content is None:
            raise CorruptSample(key, "the score's folder is missing")
        return Stored(content, self._encoding(index, self.encoding), key, extra)

    def text(self, index: int) -> str:
        """The label of sample `index` alone; its picture is not looked at."""
        return self._encoding(index, self.encoding)

    def _encoding(self, index: int, encoding: str, needed: bool = True) -> str:
        key, folder = self._places[index]
        try:
            text = (self.root / folder / f"{key}.{encoding}").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            text = ""
        symbols = text.split()
        if needed and not symbols:
            raise CorruptSample(key, f"the {encoding} encoding is missing, empty or not text")
        return " ".join(symbols)


def _score_folders(root: Path) -> Iterator[Path]:
    """Folders named ID that hold ID.semantic or ID.agnostic, in `root` or one level below."""
    for folder in _folders(root):
        if _is_score(folder):
            yield folder
        else:
            yield from (inner for inner in _folders(folder) if _is_score(inner))


def _folders(root: Path) -> Iterator[Path]:
    with os.scandir(root) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir())
    return (root / name for name in names)


def _is_score(folder: Path) -> bool:
    return any((folder / f"{folder.name}.{encoding}").is_file() for encoding in ENCODINGS)


def _split_keys(root: Path, split: str | Path) -> list[str]:
    places = [Path(split), root / split, root / f"{split}.txt", root.parent / f"{split}.txt"]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise UserError(f"{split}: there is no such split file, here or in {root}")
    try:
        lines = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as a list of scores ({error})") from error
    if not lines:
        raise UserError(f"{path}: is empty; it should name one score a line")
    return [_key(line) for line in lines]


def _key(line: str) -> str:
    name = line.rstrip("/").rpartition("/")[2]
    ending = next((ending for ending in _ENDINGS if name.endswith(ending)), "")
    return name.removesuffix(ending).removesuffix("_distorted")


def is_primus(path: str | Path) -> bool:
    """Whether `path` is a folder of PrIMuS scores; looks at a few entries only."""
    path = Path(path)
    try:
        return path.is_dir() and any(islice(_score_folders(path), 1))
    except OSError:
        return False
