"""What in a folder comes nearest to a data set, so that its owner sees what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from data_tools.errors import UserError
from data_tools.readers.folder import LABELS, PICTURES
from data_tools.readers.mjsynth import LEXICON
from data_tools.readers.pictures import Lines, is_picture_name, split_line
from data_tools.readers.walk import walk
from data_tools.sample import CorruptSample

_FOLDERS = 200
"""Folders that are looked into for the nearest thing."""
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".xz", ".bz2")
_TABLES = (".json", ".jsonl", ".csv", ".tsv", ".xml", ".mat", ".parquet", ".tfrecord", ".h5", ".arrow")


def describe_nearest(path: Path) -> str:
    """A clause about the thing in `path` that is nearest to a data set, and what it lacks."""
    if path.is_file():
        return _judge_file(path) or f"{path.name} is none of them"
    found = sorted(_judge(path), key=lambda pair: pair[0])
    if found:
        return found[0][1]
    files = [folder / name for folder, _, names in islice(walk(path), _FOLDERS) for name in names]
    return f"{len(files)} files, such as {files[0].relative_to(path)}" if files else "it holds no files"


def _judge(path: Path) -> Iterator[tuple[int, str]]:
    """Clauses with their rank, 0 the nearest."""
    for here, inside, files in islice(walk(path), _FOLDERS):
        where = here.relative_to(path)
        pictures = [name for name in files if is_picture_name(name)]
        for name in files[:50]:
            clause = _judge_file(here / name, where / name)
            if clause:
                yield (1 if Path(name).suffix == ".txt" else 3), clause
        annotated = next((f"{stem}.txt" for stem in map(_stem, pictures) if f"{stem}.txt" in files), None)
        if annotated:
            yield 1, f"{where / annotated} lies beside its picture, but has no region of text in any form that is read"
        if pictures:
            folder = here.name + "/" if str(where) != "." else "the folder"
            yield 2, f"{folder} holds {len(pictures)} pictures, but no {LABELS} says what they show"
        if PICTURES in inside:
            yield 4, f"{where / PICTURES}/ is there, but no {LABELS} beside it"


def _judge_file(path: Path, shown: Path | None = None) -> str:
    shown, suffix = shown or Path(path.name), path.suffix.lower()
    if suffix in (".lmdb", ".mdb"):
        return f"{shown} begins unlike an LMDB; was it copied whole?"
    if path.name == LEXICON:
        return f"{shown} is MJSynth's, but there is no annotation file (annotation_train.txt …) beside it"
    if suffix in _ARCHIVES:
        return f"{shown} is an archive; unpack it first"
    if suffix in _TABLES:
        return f"{shown} may hold labels in a form that is not read; write them as {LABELS}, name TAB label"
    name = _first_name(path) if suffix == ".txt" else ""
    return f"{shown} names pictures such as {name}, which lie neither beside it nor in {PICTURES}/" if name else ""


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


def _first_name(path: Path) -> str:
    """The picture that the first line of an annotation file names; nothing where it is no such file."""
    try:
        name, _ = split_line(Lines(path)[0], "")
    except (UserError, CorruptSample):
        return ""
    return name if is_picture_name(name) else ""
