"""Photographs whose regions all stand in one text or JSON file.

PaddleOCR's and PPOCRLabel's `Label.txt`: a picture's path, TAB, a JSON list of `{"transcription", "points"}`, texts
`###` and `*` for what nobody is to read. LSVT (Sun et al.) and ArT (Chng et al.): `{"gt_0": [{"transcription",
"points", "illegibility"}]}`. COCO-Text (Veit et al.), both versions: `{"imgs", "anns", "imgToAnns"}`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from data_tools.errors import UserError
from data_tools.readers.pictures import Lines, is_picture_name, read_picture
from data_tools.readers.scenes.base import Annotation, SceneReader, corners_of, make_region, read_parts, require_list
from data_tools.readers.walk import walk
from data_tools.sample import CorruptSample, Region
from data_tools.text import decode_text, read_text

_SNIFFED = 1 << 16
_WHY = "is no region with points"
_FOLDERS = 200
"""Folders below an annotation file in which its pictures are looked for."""


class LabelReader(SceneReader):
    """Samples are the lines of a `Label.txt`. Pictures lie where it says: beside the file or beside its folder."""

    layout = "PaddleOCR (path TAB regions)"

    def __init__(self, path: str | Path):
        self._path, self._lines = Path(path), Lines(Path(path))
        names = [self._split(number)[0] for number in range(len(self._lines))]
        super().__init__(self._path.parent, names)

    def annotate(self, index: int) -> Annotation:
        name, content = self._split(index)
        try:
            records = json.loads(content)
        except (ValueError, RecursionError):
            raise CorruptSample(name, "its annotation cannot be read as JSON", "label") from None
        return read_parts(require_list(records, name), parse_record, "region", _WHY)

    def _content(self, index: int) -> bytes:
        name = self._names[index].replace("\\", "/")
        within = name.partition("/")[2]  # PPOCRLabel's paths begin with the folder in which the file lies
        for spelt in filter(None, (name, within)):
            try:
                return read_picture(self.root, spelt)
            except CorruptSample:
                continue
        return read_picture(self.root, name)

    def _split(self, index: int) -> tuple[str, str]:
        try:
            name, _, content = self._lines[index].decode("utf-8-sig").partition("\t")
        except UnicodeDecodeError:
            name, content = f"{self._path.name}:{index + 1}", ""
        return name.strip() or f"{self._path.name}:{index + 1}", content


class _JsonReader(SceneReader):
    """Samples are named in one JSON file, the records of each at hand."""

    def __init__(self, path: Path, records: Mapping[str, Any]):
        self._records = list(records.values())
        super().__init__(path.parent, list(records))
        self._places = _find_pictures(path.parent)

    def _content(self, index: int) -> bytes:
        name = Path(self._names[index]).name
        place = self._places.get(name) or self._places.get(Path(name).stem)
        if place is None:
            raise CorruptSample(self._names[index], "the image file is missing")
        return read_picture(self.root, place)


class LsvtReader(_JsonReader):
    """Samples by the names in the file, which lack an ending. Raises UserError where it is damaged."""

    layout = "LSVT, ArT"

    def __init__(self, path: str | Path):
        super().__init__(Path(path), _load(Path(path)))

    def annotate(self, index: int) -> Annotation:
        records = require_list(self._records[index], self._names[index])
        return read_parts(records, parse_record, "region", _WHY)


class CocoTextReader(_JsonReader):
    """Samples are the pictures that have regions, by their file names; those of one `part` (train, val), or all. Raises
    UserError where the file is damaged or has no such part.
    """

    def __init__(self, path: str | Path, part: str = ""):
        path = Path(path)
        data = _load(path)
        images, regions = data.get("imgs"), data.get("anns")
        if not isinstance(images, dict) or not isinstance(regions, dict):
            raise UserError(f"{path}: has no imgs and anns as COCO-Text has")
        records: dict[str, list[Any]] = {}
        images = {str(key): each for key, each in images.items() if isinstance(each, dict)}
        parts = sorted({str(each["set"]) for each in images.values() if "set" in each})
        if part and part not in parts:
            raise UserError(f"{path}: has no part {part}; there are {', '.join(parts) or 'none'}")
        self.layout = f"COCO-Text ({part or ' and '.join(parts) or 'all'})"
        names = {key: each.get("file_name") for key, each in images.items() if part in ("", each.get("set"))}
        for each in regions.values():
            name = names.get(str(each.get("image_id"))) if isinstance(each, dict) else None
            if isinstance(name, str):
                records.setdefault(name, []).append(each)
        if not records:
            raise UserError(f"{path}: no region belongs to a picture with a name")
        super().__init__(path, dict(sorted(records.items())))

    def annotate(self, index: int) -> Annotation:
        return read_parts(self._records[index], _parse_coco, "region", _WHY)


def parse_record(record: Any) -> Region | None:
    """A region of PaddleOCR's, LSVT's or ArT's."""
    if not isinstance(record, dict):
        return None
    text, hidden = record.get("transcription"), record.get("illegibility") or record.get("difficult")
    return make_region(record.get("points"), text, not hidden and text != "*")


def _parse_coco(record: Mapping[str, Any]) -> Region | None:
    """COCO-Text's: an outline (`mask`, earlier `polygon`), or else a box of left, top, width and height."""
    points, box = record.get("mask") or record.get("polygon"), record.get("bbox")
    region = make_region(points, record.get("utf8_string"), record.get("legibility") == "legible")
    if region is not None or not isinstance(box, list) or len(box) != 4:
        return region
    try:
        left, top, width, height = map(float, box)
    except (TypeError, ValueError):
        return None
    corners = corners_of(left, top, left + width, top + height)
    return make_region(corners, record.get("utf8_string"), record.get("legibility") == "legible")


def open_part(path: Path) -> CocoTextReader | None:
    """The part of a file that `cocotext.v2.json#train` names; None where it is no such name. Raises UserError."""
    file, mark, part = str(path).rpartition("#")
    is_one = mark and part and Path(file).is_file() and _kind_of(Path(file)) is CocoTextReader
    return CocoTextReader(file, part) if is_one else None


def find_table(path: Path) -> SceneReader | None:
    """The reader of a file, or of the only such file in a folder; None where there is none. Raises UserError."""
    if path.is_file():
        kind = _kind_of(path)
        return kind(path) if kind else None
    files = sorted(islice((file for file in path.iterdir() if file.suffix.lower() in (".txt", ".json")), 1000))
    found = [(file, kind) for file in files if file.is_file() and (kind := _kind_of(file))]
    if len(found) > 1:
        raise UserError(f"{path}: has {', '.join(file.name for file, _ in found)}; name one of them")
    return found[0][1](found[0][0]) if found else None


def _kind_of(path: Path) -> type[SceneReader] | None:
    """Which of the three a file is, by its beginning."""
    try:
        with open(path, "rb") as file:
            start = file.read(_SNIFFED)
        text = decode_text(start[: start.rfind(b"\n") + 1] or start, "latin-1").lstrip("\ufeff \n\r\t")
    except (OSError, UnicodeDecodeError):
        return None
    if path.suffix.lower() == ".json":
        if '"transcription"' in text and '"points"' in text:
            return LsvtReader
        return CocoTextReader if text.startswith("{") and any(f'"{key}"' in text for key in _COCO_KEYS) else None
    name, tab, rest = text.partition("\n")[0].partition("\t")
    return LabelReader if tab and rest.lstrip().startswith("[") and is_picture_name(name.strip()) else None


_COCO_KEYS = ("imgToAnns", "utf8_string", "legibility")


def _load(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_text(path, fallback=None))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(found, dict) or not found:
        raise UserError(f"{path}: names no picture")
    return found


def _find_pictures(root: Path) -> dict[str, str]:
    """Paths below `root` by the names of the pictures, with and without their endings."""
    places: dict[str, str] = {}
    for here, _, files in islice(walk(root), _FOLDERS):
        for name in filter(is_picture_name, files):
            place = os.path.relpath(here / name, root)
            places.setdefault(name, place)
            places.setdefault(Path(name).stem, place)
    return places
