"""Quadrilaterals as lines of text, `x1,y1,x2,y2,x3,y3,x4,y4,text` from the top left as read: parsed and written."""

from __future__ import annotations

import re

import numpy as np

from data_tools.polygons import min_area_box
from data_tools.readers.scenes.base import ILLEGIBLE, corners_of, make_region
from data_tools.sample import Region

_BOX = re.compile(r'^\s*(-?\d+)[,\s]+(-?\d+)[,\s]+(-?\d+)[,\s]+(-?\d+)[,\s]+"(.*)"\s*$')


def parse(line: str) -> Region | None:
    """One line of an annotation, in ICDAR 2015's form or 2013's (a box and a quoted text); None where it is none.

    >>> parse("0,0,9,0,9,4,0,4,a,b").text, parse('38, 43, 920, 215, "Tiredness"').polygon[2].tolist()
    ('a,b', [920.0, 215.0])
    """
    line = line.lstrip("\ufeff")
    box = _BOX.match(line)
    if box:
        return make_region(corners_of(*map(float, box.groups()[:4])), box[5])
    parts = line.strip().split(",", 8)
    return make_region(parts[:8], parts[8] if len(parts) > 8 else "") if len(parts) >= 8 else None


def format_region(region: Region) -> str:
    """The line of a region: its corners to a tenth of a pixel, and its text."""
    numbers = (f"{value:.1f}".rstrip("0").rstrip(".") for value in to_quad(region.polygon).ravel())
    return ",".join((*numbers, region.text if region.legible else ILLEGIBLE))


def to_quad(polygon: np.ndarray) -> np.ndarray:
    """The four corners (4, 2) of a polygon (P, 2) that begins at the top left as read and goes around: itself, or the
    smallest rectangle around it, beginning at the corner next to its first point.
    """
    if len(polygon) == 4:
        return polygon
    box = min_area_box(polygon)
    return np.roll(box, -int(np.linalg.norm(box - polygon[0], axis=1).argmin()), axis=0)
