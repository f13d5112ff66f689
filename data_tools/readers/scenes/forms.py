"""The forms of annotations that lie in one file for each photograph, by who published them.

ICDAR 2015 (Karatzas et al.), SROIE, MTWI, CASIA-10K: `x1,y1,…,x4,y4,text`; ICDAR 2013: `left, top, right, bottom,
"text"`; MLT 2017 and 2019 (Nayef et al.): `x1,…,y4,script,text`; RCTW-17 (Shi et al.): `x1,…,y4,difficult,"text"`;
Total-Text (Ch'ng and Chan): `x: [[…]], y: [[…]], ornt: [u'c'], transcriptions: [u'…']`, `#` for what nobody is to read;
MSRA-TD500 (Yao et al.): `index difficult x y width height angle`; FUNSD (Jaume et al.): JSON with words in boxes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from data_tools.readers.quads import parse as parse_quad
from data_tools.readers.scenes.base import UNKNOWN, Annotation, corners_of, make_region, read_parts
from data_tools.sample import Region

SCRIPTS = {"arabic", "latin", "chinese", "japanese", "korean", "bangla", "bengali", "hindi", "devanagari", "symbols"}
SCRIPTS |= {"mixed", "none"}
"""What stands in the ninth field of MLT's lines, in small letters."""
_TOTAL = re.compile(
    r"x:\s*\[\[(?P<x>[^]]*)]],\s*y:\s*\[\[(?P<y>[^]]*)]],\s*ornt:\s*\[(?P<turn>[^]]*)],\s*"
    r"transcriptions:\s*\[\s*u?(?P<quote>['\"]?)(?P<text>.*)(?P=quote)\s*]\s*",
    re.DOTALL,
)
_RECTANGLE = re.compile(r"\d+\s+[01](?:\s+-?\d+(?:\.\d+)?){5}")
_SHARE = 0.6
"""A stricter form is taken if it makes sense of this share of what the most generous one does."""


@dataclass(frozen=True)
class Form:
    """How one file says what one photograph holds: `read(text)`; `layout` names who publishes such."""

    layout: str
    suffix: str
    read: Callable[[str], Annotation]


def read_lines(text: str, parse: Callable[[str], Region | None], why: str) -> Annotation:
    """A text with a region a line."""
    return read_parts(filter(str.strip, text.splitlines()), parse, "line", why)


def _by_line(parse: Callable[[str], Region | None], why: str) -> Callable[[str], Annotation]:
    return partial(read_lines, parse=parse, why=why)


def parse_mlt(line: str) -> Region | None:
    """A line with a script before its text.

    >>> parse_mlt("0,0,9,0,9,4,0,4,Latin,a,b").text, parse_mlt("0,0,9,0,9,4,0,4,Dear,all")
    ('a,b', None)
    """
    parts = line.strip().lstrip("\ufeff").split(",", 9)
    if len(parts) < 10 or parts[8].strip().lower() not in SCRIPTS:
        return None
    return make_region(parts[:8], parts[9])


def parse_rctw(line: str) -> Region | None:
    """A line with a mark for what is difficult, and its text in quotation marks.

    >>> parse_rctw('0,0,9,0,9,4,0,4,0,"a,b"').text, parse_rctw('0,0,9,0,9,4,0,4,1,"a"').legible
    ('a,b', False)
    """
    parts = line.strip().lstrip("\ufeff").split(",", 9)
    if len(parts) < 10 or parts[8].strip() not in ("0", "1"):
        return None
    quoted = re.fullmatch(r'\s*"(.*)"\s*', parts[9])
    return make_region(parts[:8], quoted[1], parts[8].strip() == "0") if quoted else None


def parse_rectangle(line: str) -> Region | None:
    """A line of TD500: a level rectangle that is turned about its middle by an angle in radians.

    >>> parse_rectangle("0 0 10 20 40 10 0").polygon[2].tolist()
    [50.0, 30.0]
    """
    if not _RECTANGLE.fullmatch(line.strip()):
        return None
    difficult, x, y, width, height, angle = map(float, line.split()[1:])
    half, (cos, sin) = np.array([width, height]) / 2, (np.cos(angle), np.sin(angle))
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    return make_region(corners @ [[cos, sin], [-sin, cos]] + half + (x, y), UNKNOWN, not difficult)


def read_total_text(text: str) -> Annotation:
    """Total-Text's records, of which some go over several lines."""
    records = [record for record in re.split(r"(?m)^(?=\s*x:)", text) if record.strip()]
    return read_parts(records, _parse_polygon, "record", "is no polygon of Total-Text")


def _parse_polygon(record: str) -> Region | None:
    found = _TOTAL.fullmatch(record.strip())
    if not found:
        return None
    x, y = (re.findall(r"-?\d+(?:\.\d+)?", found[name]) for name in "xy")
    if len(x) != len(y):
        return None
    return make_region(np.array([x, y], np.float64).T, found["text"], found["text"] != "#" and "#" not in found["turn"])


def read_funsd(text: str) -> Annotation:
    """FUNSD's words, field by field. A field without words in boxes is a region itself."""
    return read_parts(_funsd_words(text), _parse_word, "word", "is no word in a box")


def _funsd_words(text: str) -> Iterable[Any]:
    try:
        fields = json.loads(text)["form"]
        return [word for field in fields for word in field.get("words") or [field]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return [None]


def _parse_word(word: Any) -> Region | None:
    box = word.get("box") if isinstance(word, dict) else None
    return make_region(corners_of(*box), word.get("text")) if isinstance(box, list) and len(box) == 4 else None


FORMS = (
    Form("Total-Text", ".txt", read_total_text),
    Form("MLT", ".txt", _by_line(parse_mlt, "is no quadrilateral with a script")),
    Form("RCTW-17", ".txt", _by_line(parse_rctw, "is no quadrilateral with a mark and a quoted text")),
    Form("quadrilaterals (ICDAR, SROIE, MTWI, CASIA-10K)", ".txt", _by_line(parse_quad, "is no quadrilateral")),
    Form("MSRA-TD500", ".gt", _by_line(parse_rectangle, "is no turned rectangle")),
    Form("FUNSD", ".json", read_funsd),
)
"""Those with more conditions first."""


def recognise(texts: Iterable[str], suffix: str) -> Form | None:
    """The strictest form in which most parts of some annotations make sense; None where none does.

    Empty annotations, of photographs without text, are in any form.
    """
    texts = [text for text in texts if text.strip()]
    forms = [form for form in FORMS if form.suffix == suffix]
    if not texts:
        return forms[-1] if forms else None
    counts = [sum(len(form.read(text).regions) for text in texts) for form in forms]
    best = max(counts, default=0)
    return next((form for form, count in zip(forms, counts) if best and count >= _SHARE * best), None)
