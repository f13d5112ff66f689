"""Lists of words as people keep them: plain text, tables and JSON, `.gz` too, and Hunspell dictionaries."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from data_tools.errors import UserError
from data_tools.text import read_lines, read_text, trim
from data_tools.words.hunspell import read_dictionary


def read_list(path: str | Path) -> list[str]:
    """The words of a file as they stand there, by its ending: a Hunspell `.dic`, affixes expanded; the strings of a
    `.json` list, or the keys of a mapping to numbers; of a table (`.csv`, `.tsv`, or any text with TABs) the first
    column that is not all numbers; else a word a line. Raises UserError where it cannot be read.
    """
    path = Path(path)
    if path.suffix.lower() == ".dic":
        return read_dictionary(str(path))
    suffix = Path(path.stem if path.suffix.lower() == ".gz" else path).suffix.lower()
    if suffix in (".csv", ".tsv"):
        return _read_table(path)
    if suffix == ".json":
        return _read_json(path)
    lines = read_lines(path)
    return _pick_words([line.split("\t") for line in lines]) if any("\t" in line for line in lines) else lines


def _read_table(path: Path) -> list[str]:
    """A table with commas, semicolons or TABs; of a table of one row all of it."""
    text = read_text(path)
    try:
        rows = [row for row in csv.reader(text.splitlines(), delimiter=_delimiter(text)) if any(map(str.strip, row))]
    except csv.Error as error:
        raise UserError(f"{path}: cannot be read as a table ({error})") from error
    return [word for word in map(trim, rows[0]) if word] if len(rows) == 1 else _pick_words(rows)


def _pick_words(rows: list[list[str]]) -> list[str]:
    """The cells of the first column that is not all numbers below its first cell, which may be a heading."""
    columns = range(max(map(len, rows), default=0))
    cells = [[trim(row[column]) for row in rows if column < len(row)] for column in columns]
    words = next((column for column in cells if not all(map(_is_number, column[1:]))), cells[0] if cells else [])
    return [word for word in words if word]


def _is_number(cell: str) -> bool:
    return not cell or cell.replace(".", "", 1).isdecimal()


def _delimiter(text: str) -> str:
    """The one of TAB, semicolon and comma that the first line has most of."""
    first = text.partition("\n")[0]
    return max("\t;,", key=first.count)


def _read_json(path: Path) -> list[str]:
    try:
        found = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read as JSON ({error})") from error
    counted = isinstance(found, dict) and all(isinstance(value, int | float) for value in found.values())
    words = list(found) if counted or isinstance(found, list) else []
    if not words or not all(isinstance(word, str) for word in words):
        raise UserError(f"{path}: is no JSON list of words; write one word a line")
    return [word for word in map(trim, words) if word]
