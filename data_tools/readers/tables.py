"""Labels in tables as lines `name TAB label`: JSON (docTR), JSON lines and CSV (Hugging Face, EasyOCR)."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from data_tools.errors import UserError

SUFFIXES = (".json", ".jsonl", ".csv")
_NAMES = ("filename", "file_name", "image", "image_path", "path", "file", "img", "name", "key")
_LABELS = ("text", "label", "words", "word", "transcription", "gt", "ground_truth", "sentence")


def to_lines(path: Path, text: str) -> str:
    """The table's rows as lines. Raises UserError where it is none of names and labels."""
    suffix = path.suffix.lower()
    try:
        if suffix == ".csv":
            rows = list(_read_csv(text))
        elif suffix == ".jsonl":
            rows = list(_read_records(json.loads(line) for line in text.splitlines() if line.strip()))
        else:
            rows = list(_read_json(json.loads(text)))
    except (ValueError, RecursionError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as {suffix[1:].upper()} ({error})") from error
    if not rows:
        raise UserError(f"{path}: is empty; it should have a name and a label for each image")
    return "".join(f"{' '.join(name.split())}\t{' '.join(label.split())}\n" for name, label in rows)


def _read_json(found: Any) -> Iterator[tuple[str, str]]:
    """A mapping from names to labels, to strings or to records, or a list of records."""
    if isinstance(found, list):
        yield from _read_records(found)
    elif isinstance(found, dict):
        for name, value in found.items():
            label = value if isinstance(value, str) else _pick(value, _LABELS)
            yield str(name), label
    else:
        raise ValueError("no mapping from names to labels")


def _read_records(records: Iterable[Any]) -> Iterator[tuple[str, str]]:
    for record in records:
        yield _pick(record, _NAMES), _pick(record, _LABELS)


def _pick(record: Any, keys: tuple[str, ...]) -> str:
    """The value of the first of `keys` that a record has as a string; nothing where it has none."""
    if not isinstance(record, dict):
        return ""
    folded = {str(key).lower(): value for key, value in record.items()}
    return next((folded[key] for key in keys if isinstance(folded.get(key), str)), "")


def _read_csv(text: str) -> Iterator[tuple[str, str]]:
    """Rows of name and label, with a header that names the columns or without."""
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    found = csv.reader(text.splitlines(), delimiter=delimiter, skipinitialspace=True)
    rows = [[cell.strip() for cell in row] for row in found if row]
    header = [cell.lower() for cell in rows[0]] if rows else []
    name, label = (next((header.index(key) for key in keys if key in header), None) for keys in (_NAMES, _LABELS))
    if name is None or label is None:
        yield from ((row[0], delimiter.join(row[1:])) for row in rows)
    else:
        yield from (tuple(row[at] if at < len(row) else "" for at in (name, label)) for row in rows[1:])
