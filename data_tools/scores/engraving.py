"""MEI or Plaine & Easie -> a picture of the staff: engraved by verovio, drawn by `drawing`.

The look "primus" is that of PrIMuS's own pictures (Leipzig font, 18 pixels between staff lines, thick lines, one shade
of ink without anti-aliasing, cropped to the ink); "varied" draws fonts, line widths, spacing and ink anew each time.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from random import Random

import numpy as np
from PIL import Image

from data_tools.errors import UserError
from data_tools.music.notation import MusicError
from data_tools.scores import drawing

STAFF_SPACE = 18.0
"""Pixels between two staff lines in PrIMuS's pictures, and in verovio's at scale 100."""
FONTS = ("Leipzig", "Bravura", "Leland", "Gootville")
FRAME_BELOW, FRAME_ABOVE = 4.5, 9.2
"""How far the frame "staff" reaches below and above the lowest staff line, in staff spaces."""

_PAGE = {
    "scale": 100,
    "pageWidth": 100_000,
    "pageMarginLeft": 0,
    "pageMarginRight": 0,
    "pageMarginTop": 0,
    "pageMarginBottom": 0,
    "header": "none",
    "footer": "none",
    "adjustPageHeight": True,
    "adjustPageWidth": True,
    "breaks": "none",
    "mnumInterval": 0,
    "xmlIdSeed": 1,
}


@dataclass(frozen=True)
class Style:
    """How a staff is drawn: verovio's options, pixels between staff lines, shade of the ink, smooth edges or not."""

    options: Mapping[str, object] = field(default_factory=dict)
    staff_space: float = STAFF_SPACE
    ink: int = 57
    smooth: bool = False
    margin: tuple[int, int] = (0, 0)  # left and right, in pixels


PRIMUS = Style(
    {"font": "Leipzig", "staffLineWidth": 0.3, "barLineWidth": 0.35, "stemWidth": 0.25, "multiRestStyle": "block"}
)


def varied_style(rng: Random, staff_space: float) -> Style:
    """A style drawn at random around `staff_space` pixels between staff lines (the lines' distance itself is exact)."""
    font = rng.choices(FONTS, (60, 16, 14, 10))[0]
    options = {
        "font": font,
        "staffLineWidth": round(rng.uniform(0.1, 0.3), 2),
        "barLineWidth": round(rng.uniform(0.2, 0.45), 2),
        "stemWidth": round(rng.uniform(0.15, 0.35), 2),
        "spacingLinear": round(rng.uniform(0.18, 0.34), 2),
        "spacingNonLinear": round(rng.uniform(0.5, 0.68), 2),
        "graceFactor": round(rng.uniform(12, 16)) / 20,
        "measureMinWidth": rng.randint(8, 18),
        "multiRestStyle": rng.choices(("auto", "block", "symbols"), (6, 3, 1))[0],
    }
    margin = (round(rng.uniform(0, 1.5) * staff_space), round(rng.uniform(0, 1.5) * staff_space))
    return Style(options, staff_space, rng.choice((0, 20, 40, 57, 80)), True, margin)


@contextmanager
def _own_symbols() -> Iterator[None]:
    """Libraries loaded inside use their own symbols: those that Jittor makes global would crash verovio later."""
    before = sys.getdlopenflags()
    sys.setdlopenflags(os.RTLD_NOW | os.RTLD_LOCAL | getattr(os, "RTLD_DEEPBIND", 0))
    try:
        yield
    finally:
        sys.setdlopenflags(before)


@cache
def _toolkit():
    with _own_symbols():
        import verovio

    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setOptions(_PAGE)
    return toolkit


_DEFAULTS = {
    "barLineWidth": 0.3,
    "spacingLinear": 0.25,
    "spacingNonLinear": 0.6,
    "graceFactor": 0.75,
    "measureMinWidth": 15,
    "multiRestStyle": "auto",
}


def to_svg(text: str, style: Style = PRIMUS, kind: str = "mei") -> str:
    """One staff as SVG, `kind` "mei" or "pae"; raises MusicError for what verovio cannot load."""
    toolkit = _toolkit()
    toolkit.setOptions({**_DEFAULTS, **style.options, "inputFrom": kind})
    if not toolkit.loadData(text):
        raise MusicError(f"verovio cannot load it as {kind.upper()}")
    return toolkit.renderToSVG(1)


def pae_issues(text: str) -> list[str]:
    """What verovio finds wrong with one Plaine & Easie incipit, one line each."""
    found = _toolkit().validatePAE(text)
    issues = [issue for field in found.values() for issue in (field if isinstance(field, list) else [field])]
    return [f"Plaine & Easie, character {issue['column']}: {issue['text']}" for issue in issues]


def pae_to_mei(text: str) -> str:
    """The MEI that verovio makes of one Plaine & Easie incipit (lines @clef, @keysig, @timesig, @data)."""
    toolkit = _toolkit()
    toolkit.setOptions({"inputFrom": "pae"})
    if not toolkit.loadData(text):
        raise MusicError("verovio cannot load it as Plaine & Easie")
    toolkit.resetXmlIdSeed(1)
    return toolkit.getMEI({"pageNo": 0})


def engrave(text: str, style: Style = PRIMUS, frame: str = "ink", kind: str = "mei") -> Image.Image:
    """MEI (or, with `kind`, Plaine & Easie) of one staff -> its picture, mode L.

    `frame` "ink" crops to what is drawn, as PrIMuS; "staff" gives all pictures the same height and the staff the same
    place in it: FRAME_BELOW and FRAME_ABOVE staff spaces below and above the lowest line. Raises MusicError.
    """
    return engraved(text, style, frame, kind)[0]


def engraved(
    text: str, style: Style = PRIMUS, frame: str = "ink", kind: str = "mei"
) -> tuple[Image.Image, tuple[float, float]]:
    """`engrave`, and the heights in pixels (from the picture's upper edge) of the staff's highest and lowest line."""
    drawn = drawing.read(to_svg(text, style, kind))
    first, height = _rows(drawn, style.staff_space, frame)
    paper = drawing.draw(drawn, style.staff_space, style.smooth, first, height)
    if style.smooth:
        grey = (style.ink + 0.5 + (255 - style.ink) * paper).astype(np.uint8)
    else:
        grey = np.uint8(style.ink) + np.uint8(255 - style.ink) * paper
    ink = grey < 250
    columns = np.flatnonzero(ink.any(axis=0))
    if not len(columns):
        raise MusicError("an empty picture")
    rows = np.flatnonzero(ink.any(axis=1)) if frame == "ink" else np.array([0, len(grey) - 1])
    left, right = style.margin
    inside = grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    whole = np.full((inside.shape[0], left + inside.shape[1] + right), 255, np.uint8)
    whole[:, left : left + inside.shape[1]] = inside
    zoom, top = style.staff_space / drawing.UNITS, first + float(rows[0])
    return Image.fromarray(whole, "L"), (min(drawn.staff) * zoom - top, max(drawn.staff) * zoom - top)


def _rows(drawn: drawing.Drawing, staff_space: float, frame: str) -> tuple[int, int]:
    """(first, how many) of the page's rows of pixels to draw."""
    if frame == "staff":
        top = round(max(drawn.staff) * staff_space / drawing.UNITS - FRAME_ABOVE * staff_space)
        return top, round((FRAME_BELOW + FRAME_ABOVE) * staff_space)
    if frame != "ink":
        raise UserError(f"{frame}: no such frame; there are: ink, staff")
    return 0, math.ceil(drawn.height * staff_space / drawing.UNITS)
