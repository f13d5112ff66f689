"""PrIMuS and Camera-PrIMuS as published: `<id>/<id>.png`, `.semantic`, `.agnostic`, `.mei`, `<id>_distorted.jpg`.

The score folders may lie in one folder or in packages (`package_aa/<id>/…`), or all files in one folder. A split file
names one score a line.
Source: J. Calvo-Zaragoza and D. Rizo 2018 (https://grfia.dlsi.ua.es/primus/).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from data_tools.errors import UserError
from data_tools.images import decode_sample
from data_tools.music.vocabulary import ENCODINGS
from data_tools.readers.pictures import read_picture
from data_tools.sample import CorruptSample, EncodedSample, Sample
from data_tools.text import decode_text, read_text, trim

_LOOKED = 50
"""Folders at each level by which a folder is known as PrIMuS's; a corpus holds little else."""
_ENDINGS = (".png", ".semantic", ".agnostic", ".mei", ".jpg")


class PrimusReader:
    """Scores of a PrIMuS folder in the order of their ids, or of the lines of `split`.

    `split` is a file of ids, or the name ("train", "test") of one that lies in the folder or next to it. The label is
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
            folders = {key: str(folder.relative_to(self.root)) for key, folder in _scores(self.root)}
        except OSError as error:
            raise UserError(f"{root}: cannot be read ({error.strerror})") from error
        if not folders:
            raise UserError(f"{root}: holds no PrIMuS score (ID.semantic, in a folder ID or not)")
        keys = sorted(folders) if split is None else _split_keys(self.root, split)
        self._places = [(key, folders.get(key, "")) for key in keys]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Sample:
        return decode_sample(self.stored(index))

    def stored(self, index: int) -> EncodedSample:
        """Sample `index` with its picture as it lies in the file."""
        key, folder = self._places[index]
        name = f"{key}_distorted.jpg" if self.camera else f"{key}.png"
        other = next(encoding for encoding in ENCODINGS if encoding != self.encoding)
        further = self._encoding(index, other, needed=False)
        extra = {other: further} if further else {}
        content = read_picture(self.root, os.path.join(folder, name)) if folder else None
        if content is None:
            raise CorruptSample(key, "the score's folder is missing")
        return EncodedSample(content, self._encoding(index, self.encoding), key, extra)

    def text(self, index: int) -> str:
        """The label of sample `index` alone; its picture is not looked at."""
        return self._encoding(index, self.encoding)

    def _encoding(self, index: int, encoding: str, needed: bool = True) -> str:
        key, folder = self._places[index]
        try:
            text = decode_text((self.root / folder / f"{key}.{encoding}").read_bytes(), fallback=None)
        except (OSError, UnicodeDecodeError):
            text = ""
        symbols = trim(text).split()
        if needed and not symbols:
            raise CorruptSample(key, f"the {encoding} encoding is missing, empty or not text", "label")
        return " ".join(symbols)


def _scores(root: Path, most: int | None = None) -> Iterator[tuple[str, Path]]:
    """(ID, folder): files ID.semantic or ID.agnostic with their pictures in `root`, or in folders named ID there or one
    level below; of `most` entries at each level.
    """
    names = [] if _is_score(root) else list(islice(_names(root, folders=False), most))  # its own folder is no corpus
    pictured = {name.rpartition(".")[0].removesuffix("_distorted") for name in names if name.endswith((".png", ".jpg"))}
    labelled = {name.rpartition(".")[0] for name in names if name.endswith(tuple(f".{one}" for one in ENCODINGS))}
    yield from ((key, root) for key in sorted(pictured & labelled))
    for folder in islice(_folders(root), most):
        if _is_score(folder):
            yield folder.name, folder
        else:
            yield from ((inner.name, inner) for inner in islice(_folders(folder), most) if _is_score(inner))


def _folders(root: Path) -> Iterator[Path]:
    return (root / name for name in _names(root, folders=True))


def _names(root: Path, folders: bool) -> list[str]:
    """The names of the folders, or of the other entries, of a folder; hidden ones excepted."""
    with os.scandir(root) as entries:
        return sorted(entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir() == folders)


def _is_score(folder: Path) -> bool:
    return any((folder / f"{folder.name}.{encoding}").is_file() for encoding in ENCODINGS)


def _split_keys(root: Path, split: str | Path) -> list[str]:
    places = [Path(split), root / split, root / f"{split}.txt", root.parent / f"{split}.txt"]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise UserError(f"{split}: there is no such split file, here or in {root}")
    lines = read_text(path, fallback=None).split()
    if not lines:
        raise UserError(f"{path}: is empty; it should name one score a line")
    return [_key(trim(line)) for line in lines]


def _key(line: str) -> str:
    name = line.replace("\\", "/").rstrip("/").rpartition("/")[2]
    ending = next((ending for ending in _ENDINGS if name.endswith(ending)), "")
    return name.removesuffix(ending).removesuffix("_distorted")


def is_primus(path: str | Path) -> bool:
    """Whether `path` is a folder of PrIMuS scores; looks at a few entries only."""
    path = Path(path)
    try:
        return path.is_dir() and any(islice(_scores(path, _LOOKED), 1))
    except OSError:
        return False
