"""Photographs with an annotation file each: most published sets, in the forms of `forms.py`.

Pictures lie in the folder itself or in folders below it, annotations beside them or in other folders there (`image/`
and `gt/`; `ch4_training_images/` and `ch4_training_localization_transcription_gt/`; `Images/Train/` and `gt/Train/`).
An annotation is named like its picture, or `gt_` or `poly_gt_` before that.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from data_tools.errors import UserError
from data_tools.readers.pictures import is_picture_name
from data_tools.readers.scenes.base import Annotation, SceneReader
from data_tools.readers.scenes.forms import Form, recognise
from data_tools.readers.walk import is_side
from data_tools.sample import CorruptSample
from data_tools.text import decode_text

PREFIXES = ("", "gt_", "poly_gt_")
SUFFIXES = (".txt", ".gt", ".json")
PICTURES = ("image", "images", "img", "imgs")
ANNOTATIONS = ("gt", "gts", "groundtruth", "labels", "box", "boxes", "annotation", "annotations", "txt")
"""Folders, in small letters, that may hold parts (Train, Test) in folders of their own."""
_LISTED, _READ = 5000, 8
"""Entries of a folder, and annotations of its pictures, that are looked at to tell what it is."""
_FOLDERS = 60
"""A folder with more folders than this is none of these layouts."""


@dataclass(frozen=True)
class Found:
    """The paths below a root of pictures, in order, and of annotations by their pictures' stems; their form."""

    form: Form
    pictures: tuple[str, ...]
    annotations: dict[str, str]


class PairsReader(SceneReader):
    """Samples are the pictures in the order of their names. Raises UserError where there is no such pair."""

    def __init__(self, root: str | Path, found: Found | None = None):
        found = found or find_pairs(Path(root))
        if found is None:
            raise UserError(f"{root}: no pictures with an annotation file each")
        super().__init__(root, found.pictures)
        self.layout, self._form, self._annotations = found.form.layout, found.form, found.annotations

    def annotate(self, index: int) -> Annotation:
        name = self._names[index]
        path = self._annotations.get(Path(name).stem)
        if path is None:
            raise CorruptSample(name, "there is no annotation of it", "label")
        text = read_annotation(self.root / path)
        if text is None:
            raise CorruptSample(name, "its annotation cannot be read as text", "label")
        return self._form.read(text)


def find_pairs(root: Path) -> Found | None:
    """The set in a folder, or None. Raises UserError where two pictures or annotations have one name."""
    found = _recognise(root)
    if found is None:
        return None
    form, where = found
    pictures = [os.path.join(at, name) for at in where for name in _names(root / at) if is_picture_name(name)]
    _refuse_twice(root, pictures)
    folders = [at for at in _folders_of(root) if not at or at not in where] + _siblings_of(root)
    annotations = [os.path.join(at, name) for at in folders for name in _names(root / at) if name.endswith(form.suffix)]
    by_stem = _by_stem(root, annotations, {Path(path).stem for path in pictures})
    return Found(form, tuple(sorted(pictures)), by_stem)


def read_annotation(path: Path) -> str | None:
    """An annotation's text: UTF-8 or as its byte order mark says, else Chinese (GB 18030, CASIA-10K); None else."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    try:
        return decode_text(content, fallback=None).lstrip("\ufeff")
    except UnicodeDecodeError:
        pass
    try:
        text = content.decode("gb18030")
    except UnicodeDecodeError:
        return None
    return text if all(sign.isascii() or "\u2000" <= sign <= "\uffef" for sign in text) else None


def _recognise(root: Path) -> tuple[Form, list[str]] | None:
    """The form of the annotations of some pictures in a folder, and where its pictures lie: in folders with a known
    name, or else in any whose pictures have annotations elsewhere.
    """
    if not root.is_dir():
        return None
    folders = _folders_of(root)
    listed = {at: frozenset(_names(root / at, _LISTED)) for at in [*folders, *_siblings_of(root)]}
    forms: dict[str, Form] = {}
    for at in folders:
        form = _form_of(root, at, {other: names for other, names in listed.items() if not at or other != at})
        if form is not None:
            forms[at] = form
    known = [at for at in forms if not at or at.split(os.sep)[0].lower() in PICTURES]
    where = known or list(forms)
    return (forms[where[0]], where) if where else None


def _form_of(root: Path, at: str, listed: dict[str, frozenset[str]]) -> Form | None:
    """The form of the annotations of some of the pictures in one folder."""
    texts: dict[str, list[str]] = {}
    for name in _names(root / at, _LISTED):
        path = _annotation_of(root, listed, Path(name).stem) if is_picture_name(name) else None
        text = read_annotation(path) if path is not None else None
        if text is not None:
            own = texts.setdefault(path.suffix, [])
            own.append(text)
            if len(list(filter(str.strip, own))) >= _READ:
                break
    return next((form for suffix, own in texts.items() if (form := recognise(own, suffix))), None)


def _annotation_of(root: Path, listed: dict[str, frozenset[str]], stem: str) -> Path | None:
    names = [f"{prefix}{stem}{end}" for prefix in PREFIXES for end in SUFFIXES]
    return next((root / at / name for at, own in listed.items() for name in names if name in own), None)


def _folders_of(root: Path) -> list[str]:
    """Folders in which pictures or annotations may lie: "", those below, and the parts of those with known names."""
    inside = _subfolders(root)
    parts = [
        os.path.join(name, part)
        for name in inside
        if name.lower() in (*PICTURES, *ANNOTATIONS)
        for part in _subfolders(root / name)
    ]
    return ["", *inside, *parts]


def _siblings_of(root: Path) -> list[str]:
    """Folders of annotations beside a folder of pictures that is named itself, or beside the one it is a part of."""
    own = root.resolve()
    found = []
    if own.name.lower() in PICTURES:
        found += [os.path.join("..", name) for name in _subfolders(own.parent) if name.lower() in ANNOTATIONS]
    if own.parent.name.lower() in PICTURES:
        beside = [name for name in _subfolders(own.parent.parent) if name.lower() in ANNOTATIONS]
        found += [os.path.join("..", "..", name, own.name) for name in beside]
    return found


def _subfolders(root: Path) -> list[str]:
    try:
        with os.scandir(root) as entries:
            names = [entry.name for entry in islice(entries, 10_000) if entry.is_dir() and not is_side(entry.name)]
    except OSError:
        return []
    return sorted(names) if len(names) <= _FOLDERS else []


def _names(folder: Path, most: int | None = None) -> list[str]:
    """Names of files in a folder that need not be there: all of them in order, or those of `most` entries."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in islice(entries, most) if not is_side(entry.name))
    except OSError:
        return []


def _refuse_twice(root: Path, paths: list[str]) -> None:
    """Raises UserError where two files have the same stem: nobody could say whose annotation is whose."""
    seen: dict[str, str] = {}
    for path in paths:
        before = seen.setdefault(Path(path).stem, path)
        if before != path:
            raise UserError(f"{root}: has {before} and {path}; put what belongs together into a folder of its own")


def _by_stem(root: Path, annotations: list[str], stems: set[str]) -> dict[str, str]:
    """Annotations by their pictures' stems."""
    found: dict[str, str] = {}
    for path in annotations:
        name = Path(path).stem
        stem = next((name[len(p) :] for p in PREFIXES if name.startswith(p) and name[len(p) :] in stems), None)
        if stem is not None and found.setdefault(stem, path) != path:
            raise UserError(f"{root}: has {found[stem]} and {path} for one picture; keep one of them")
    return found
