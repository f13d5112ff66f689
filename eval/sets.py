"""The test sets below a folder: the report's layout as it is, and LMDBs, with the lexicons that lie beside them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from data_tools.errors import UserError
from data_tools.readers import open_reader
from data_tools.readers.folder import PICTURES, is_folder
from data_tools.readers.lmdb import is_lmdb
from data_tools.sample import Reader
from data_tools.text import alphanumeric
from eval.protocols import FAMILIES, family

OFFICIAL = {"50": "lex.txt", "1k": "lex1k.txt"}
"""Files in a set's folder with a lexicon in each line: image prefix, white space, words joined by commas."""
DICTIONARY = "Hunspell_en.txt"


@dataclass
class TestSet:
    """A set of labelled images; `official[column]` maps an image prefix to its published lexicon."""

    __test__ = False  # its name looks like a test to pytest

    name: str
    path: Path
    reader: Reader
    official: dict[str, dict[str, list[str]]] = field(default_factory=dict)


def find(root: str | Path, names: list[str] | None = None) -> tuple[list[TestSet], list[str]]:
    """The sets below `root` (or `root` itself), in Table 1's order, and a line for each that is no use.

    `names` chooses among them. Raises UserError where nothing is left to be tested.
    """
    root = Path(root)
    if not root.exists():
        raise UserError(f"--root {root}: there is no such folder")
    sets, problems = [], []
    found = {path.name if path == root else path.relative_to(root).as_posix(): path for path in _places(root)}
    for name in names or sorted(found, key=_as_in_table):
        try:
            sets.append(_open(chosen := _chosen(name, found), found[chosen], problems))
        except UserError as error:
            problems.append(f"{name}: {error}")
    if not sets:
        raise UserError(f"--root {root}: no test set can be read{': ' + '; '.join(problems) if problems else ''}")
    return sets, problems


def _as_in_table(name: str) -> tuple[int, str]:
    known = list(FAMILIES.values())
    return (known.index(family(name)) if family(name) in known else len(known)), name


def _places(root: Path) -> Iterator[Path]:
    """Folders that are sets, and those that have pictures but no labels, so that these are named too."""
    if is_lmdb(root):
        yield root
        return
    seen = set()
    for here, inside, files in os.walk(root, followlinks=True):
        inside.sort()
        path = Path(here)
        if path.resolve() in seen:  # links may lead back
            inside.clear()
            continue
        seen.add(path.resolve())
        yield from (path / name for name in sorted(files) if name.endswith(".lmdb") and is_lmdb(path / name))
        if is_folder(path) or is_lmdb(path) or PICTURES in inside:
            inside.clear()
            yield path


def _chosen(name: str, found: dict[str, Path]) -> str:
    """The full name of the set that the user's `name` means."""
    matches = [known for known in found if known == name or known.rsplit("/", 1)[-1].lower() == name.lower()]
    if len(matches) != 1:
        raise UserError(f"{'several sets have this name' if matches else 'no such set'}; there are: {', '.join(found)}")
    return matches[0]


def _open(name: str, path: Path, problems: list[str]) -> TestSet:
    if not (is_folder(path) or is_lmdb(path)):
        raise UserError("has pictures but no gt.txt; without labels it cannot be scored")
    test_set = TestSet(name, path, open_reader(path))
    for column, file in OFFICIAL.items():
        if (path / file).exists():
            try:
                test_set.official[column] = _read_official(path / file)
            except UserError as error:
                problems.append(f"{name}: {error}; the column {column} uses drawn lexicons")
    return test_set


def _read_official(path: Path) -> dict[str, list[str]]:
    """image prefix -> normalised words of one file of per-image lexicons."""
    lexicons = {}
    for line in filter(str.strip, _text(path).splitlines()):
        prefix, *words = line.split(maxsplit=1)
        if words:
            reduced = (alphanumeric(word) for word in words[0].split(","))
            lexicons[prefix] = [word for word in dict.fromkeys(reduced) if word]
    if not lexicons:
        raise UserError(f"{path.name} has no line `prefix word,word,…`")
    return lexicons


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path.name} cannot be read ({error.strerror})") from error
    if b"\0" in content:
        raise UserError(f"{path.name} is not a text file")
    return content.decode("utf-8-sig", "replace")
