"""The test sets below a folder: the report's layout as it is, and LMDBs, with the lexicons in their folders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from data_tools.errors import UserError
from data_tools.readers import open_reader
from data_tools.readers.folder import PICTURES, find_list
from data_tools.readers.lmdb import is_lmdb
from data_tools.readers.pictures import is_picture_name
from data_tools.readers.walk import DEPTH, walk
from data_tools.sample import Reader
from data_tools.text import alphanumeric, read_lines
from eval.words.protocols import FAMILIES, find_family

OFFICIAL = {"50": "lex.txt", "1k": "lex1k.txt"}
"""Files in a set's folder with a lexicon in each line: image prefix, TAB or white space, words joined by commas."""
DICTIONARY = "Hunspell_en.txt"


@dataclass
class TestSet:
    """A set of labelled images; `official[column]` maps an image prefix to its published lexicon."""

    __test__ = False  # its name looks like a test to pytest

    name: str
    path: Path
    reader: Reader
    official: dict[str, dict[str, list[str]]] = field(default_factory=dict)


def find_sets(root: str | Path, names: list[str] | None = None) -> tuple[list[TestSet], list[str]]:
    """The sets below `root` (or `root` itself), in Table 1's order, and a line for each that is no use.

    `names` chooses among them. Raises UserError where nothing is left to be tested.
    """
    root = Path(root)
    if not root.exists():
        raise UserError(f"--root {root}: there is no such folder")
    sets, problems, cut = [], [], []
    places = _walk_sets(root, cut)
    found = {path.name if path == root else path.relative_to(root).as_posix(): path for path in places}
    if cut:
        problems.append(f"{len(cut)} folders lie deeper than {DEPTH} levels and were not looked into, such as {cut[0]}")
    for name in names or sorted(found, key=_rank_in_table):
        try:
            full_name = _match_name(name, found)
            sets.append(_open(full_name, found[full_name], problems))
        except UserError as error:
            problems.append(f"{name}: {error}")
    if not sets:
        raise UserError(f"--root {root}: no test set can be read{': ' + '; '.join(problems) if problems else ''}")
    return sets, problems


def _rank_in_table(name: str) -> tuple[int, str]:
    """Sorts by the order of Table 1, unknown sets last."""
    known = list(FAMILIES.values())
    return (known.index(find_family(name)) if find_family(name) in known else len(known)), name


def _walk_sets(root: Path, cut: list[Path]) -> Iterator[Path]:
    """Folders that are sets, and those that have pictures but no labels, so that these are named too; folders that lie
    too deep to be looked into go to `cut`.
    """
    if is_lmdb(root):
        yield root
        return
    for path, inside, files in walk(root, follow=True, cut=cut):
        yield from (path / name for name in files if name.endswith(".lmdb") and is_lmdb(path / name))
        if is_lmdb(path) or _has_list(path) or PICTURES in inside:
            inside.clear()
            yield path


def _has_list(path: Path) -> bool:
    """Whether a folder has a list of labels, or several, which `_open` then names."""
    try:
        return find_list(path) is not None
    except UserError:
        return True


def _match_name(name: str, found: dict[str, Path]) -> str:
    """The full name of the set that the user's `name` means."""
    matches = [known for known in found if known == name or known.rsplit("/", 1)[-1].lower() == name.lower()]
    if len(matches) != 1:
        raise UserError(f"{'several sets have this name' if matches else 'no such set'}; there are: {', '.join(found)}")
    return matches[0]


def _open(name: str, path: Path, problems: list[str]) -> TestSet:
    if not (is_lmdb(path) or find_list(path)):
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
    """image prefix, less a picture's ending -> normalised words of one file of per-image lexicons."""
    lexicons = {}
    for line in read_lines(path):
        prefix, *words = line.split("\t" if "\t" in line else None, 1)
        if words:
            reduced = (alphanumeric(word) for word in words[0].split(","))
            stem = prefix.rpartition(".")[0] if is_picture_name(prefix) else prefix
            lexicons[stem] = [word for word in dict.fromkeys(reduced) if word]
    if not lexicons:
        raise UserError(f"{path.name} has no line `prefix word,word,…`")
    return lexicons
