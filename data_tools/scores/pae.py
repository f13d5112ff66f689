"""Plaine & Easie files: finding the incipits in them, and what verovio makes of each.

Two forms are read: records of lines `@clef:G-2`, `@keysig:xF`, `@timesig:c`, `@data:…` (parted by `@end`, an empty line
or the next `@start:ID` or `@clef`), and one incipit a line as RISM writes it, `%G-2$xF@c '4A…`, after an id and a TAB
if there is one. Specification: https://www.iaml.info/plaine-easie-code
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from data_tools.errors import UserError
from data_tools.music import mei
from data_tools.music.notation import Event, MusicError
from data_tools.scores import engraving

_LINE = re.compile(r"(?:(?P<id>[^\t%]+)\t\s*)?%(?P<clef>[^\s@$]+)(?P<signs>(?:[@$][^\s@$]*)*)\s+(?P<data>.+)")


@dataclass(frozen=True)
class Incipit:
    """One incipit: `key` names it (its id, or file and number); `text` is the record verovio reads."""

    key: str
    text: str


def read(path: Path) -> list[Incipit]:
    """All incipits of a file; raises UserError where it cannot be read or holds none."""
    try:
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as Plaine & Easie ({error})") from error
    records, names = [{}], [""]
    for line in content.splitlines():
        _take(line.strip(), records, names)
    found = [(name, record) for name, record in zip(names, records) if "data" in record]
    if not found:
        raise UserError(f"{path}: no Plaine & Easie incipit was found; each needs a line @data:… or %clef@time data")
    fields = ("clef", "keysig", "timesig", "data")
    return [
        Incipit(name or f"{path.stem}-{order}", "".join(f"@{field}:{record.get(field, '')}\n" for field in fields))
        for order, (name, record) in enumerate(found, 1)
    ]


def _take(line: str, records: list[dict[str, str]], names: list[str]) -> None:
    """Adds one line to the last record, or begins a new one."""
    field, _, value = line.lstrip("@").partition(":")
    one_line = _LINE.fullmatch(line)
    if one_line:
        signs = {sign[0]: sign[1:] for sign in re.findall(r"[@$][^@$]*", one_line["signs"])}
        records.append(
            {
                "clef": one_line["clef"],
                "keysig": signs.get("$", ""),
                "timesig": signs.get("@", ""),
                "data": one_line["data"],
            }
        )
        names.append((one_line["id"] or "").strip())
    if one_line or not line or line == "@end" or field in records[-1] or field == "start":
        records.append({})
        names.append(value.strip() if field == "start" and not one_line else "")
    if line.startswith("@") and not one_line and field in ("clef", "keysig", "timesig", "data"):
        records[-1][field] = value


def events(text: str) -> list[Event]:
    """The events of one record; raises MusicError for what verovio or the encodings do not take, with its reason."""
    issues = engraving.pae_issues(text)
    if issues:
        raise MusicError(issues[0])
    return mei.parse(engraving.pae_to_mei(text))
