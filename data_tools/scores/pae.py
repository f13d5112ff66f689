"""Plaine & Easie files: finding the incipits in them, and what verovio makes of each.

Two forms are read: records of lines `@clef:G-2`, `@keysig:xF`, `@timesig:c`, `@data:…` (separated by `@end`, an empty
line or the next `@start:ID` or `@clef`; the data may go on for several lines), and one incipit a line as RISM writes
it, `%G-2$xF@c '4A…`, after an id and a TAB if there is one. Specification: https://www.iaml.info/plaine-easie-code
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from data_tools.errors import UserError
from data_tools.music import mei
from data_tools.music.notation import FLATS, SHARPS, Event, MusicError
from data_tools.scores import engraving
from data_tools.text import read_text, trim

_LINE = re.compile(
    r"(?:(?P<id>[^\t%]+)\t\s*)?%(?P<clef>[^\s@$]+)(?P<signs>(?:\s*\$[^\s@$]*|\s*@[^\s@$]*)*)\s+(?P<data>.+)"
)
_DATA = re.compile(r"[-'\",.;:/!?=+^*()\[\]{}0-9A-Gabcfghinoqrtx%$@\s]+")
_ALONE = "one line"
"""Marks a record that was written in one line."""
_LONG_NUMBER = re.compile("[0-9]{5}")
_FIELDS = ("clef", "keysig", "timesig", "data")


@dataclass(frozen=True)
class Incipit:
    """One incipit: `key` names it (its id, or file and number); `text` is the record verovio reads."""

    key: str
    text: str


def read(path: Path) -> list[Incipit]:
    """All incipits of a file; raises UserError where it cannot be read or holds none."""
    records, names = [{}], [""]
    for line in read_text(path).split("\n"):
        _take(trim(line), records, names)
    found = [(name, record) for name, record in zip(names, records) if "data" in record]
    if not found:
        raise UserError(f"{path}: no Plaine & Easie incipit was found; each needs a line @data:… or %clef@time data")
    keys = _unique([_safe(name) or f"{_safe(path.stem)}-{order}" for order, (name, _) in enumerate(found, 1)])
    return [
        Incipit(key, "".join(f"@{field}:{record.get(field, '')}\n" for field in _FIELDS))
        for key, (_, record) in zip(keys, found)
    ]


def _safe(name: str) -> str:
    """The name as that of a file: what it must not hold (slashes, leading dots …) is an underscore."""
    return re.sub(r"[^\w.+-]|^\.", "_", name)


def _unique(keys: list[str]) -> list[str]:
    """The keys, those that came before with a number: 1001, 1001-2, 1001-3."""
    taken: set[str] = set()
    for place, key in enumerate(keys):
        number = 1
        while keys[place] in taken or (number > 1 and keys[place] in keys[place + 1 :]):
            number += 1
            keys[place] = f"{key}-{number}"
        taken.add(keys[place])
    return keys


def _take(line: str, records: list[dict[str, str]], names: list[str]) -> None:
    """Adds one line to the last record, or begins a new one."""
    field, _, value = line.lstrip("@").partition(":")
    one_line = _LINE.fullmatch(line)
    if line and "data" in records[-1] and not _begins(line, one_line, records[-1]):
        records[-1]["data"] = _joined(records[-1]["data"], line)
        return
    if one_line:
        signs = {sign[0]: sign[1:].strip() for sign in re.findall(r"[@$][^@$]*", one_line["signs"])}
        record = (one_line["clef"], signs.get("$", ""), signs.get("@", ""), one_line["data"])
        records.append({**dict(zip(_FIELDS, record)), _ALONE: ""})
        names.append((one_line["id"] or "").strip())
        return
    if not line or line == "@end" or field in records[-1] or field == "start" or _ALONE in records[-1]:
        records.append({})
        names.append(value.strip() if field == "start" else "")
    if line.startswith("@") and field in _FIELDS:
        records[-1][field] = trim(value)


def _begins(line: str, one_line: re.Match | None, record: dict[str, str]) -> bool:
    """Whether the line is a field, or an incipit with its id: anything else goes on with the data before it. Behind an
    incipit of one line, only what looks like data does.
    """
    if _ALONE in record and (one_line or not _DATA.fullmatch(line)):
        return True
    return line == "@end" or bool(re.match(r"@[a-z]+:", line)) or bool(one_line and one_line["id"])


def _joined(data: str, line: str) -> str:
    """Data of two lines; a change of clef, key or meter that ends the first one needs a space behind it."""
    return data + " " * bool(re.search(r"[%@$][^\s/]*(/[^\s/]*)?$", data)) + line


def _plain(text: str) -> str:
    """The record with its key signatures as verovio reads them, in the data a space behind each."""
    lines = dict(line.partition(":")[::2] for line in text.splitlines())
    lines["@keysig"] = _signature(lines.get("@keysig", ""))
    change = re.compile(r"\$([^\s@%]*)\s*")
    lines["@data"] = change.sub(lambda found: f"${_signature(found[1]) or 'n'} ", lines.get("@data", ""))
    return "".join(f"{name}:{value}\n" for name, value in lines.items())


def _signature(text: str) -> str:
    """A key signature (`xFC`, `x[F]C`, `xFxC`, `$bBE`, `n`) in its plain form; brackets mark what an editor added.

    Raises MusicError for one that no major key has.
    """
    plain = re.sub(r"[\[\]\s$+]", "", text)
    if not re.fullmatch(r"(?:[xbn][A-G]*)*", plain):
        raise MusicError(f"a key signature {text!r} is not covered")
    steps = {sign: "".join(re.findall(rf"{sign}([A-G]+)", plain)) for sign in "xb"}
    (sign, drawn), *others = [(sign, drawn) for sign, drawn in steps.items() if drawn] or [("", "")]
    usual = {"x": SHARPS, "b": FLATS, "": ""}[sign][: len(drawn)]
    if others or set(drawn) != set(usual) or len(set(drawn)) != len(drawn):
        raise MusicError(f"a key signature {text!r} is not covered")
    return sign + usual


def events(text: str) -> list[Event]:
    """The events of one record; raises MusicError for what verovio or the encodings do not take, with its reason."""
    if _LONG_NUMBER.search(text):  # verovio ends the process where a number does not fit into its own
        raise MusicError("a number of more than four digits is not covered")
    text = _plain(text)
    issues = engraving.pae_issues(text)
    if issues:
        raise MusicError(issues[0])
    return mei.parse(engraving.pae_to_mei(text))
