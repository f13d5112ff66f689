"""What a picture of a staff shows that no reading tells: that it has not five lines, or that nothing is on them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from PIL import Image

from data_tools.music.notation import Clef
from data_tools.scores.engraving import FRAME_ABOVE, FRAME_BELOW
from omr.ink import binarise

_CLEAR = 40
"""Grey levels by which lines are darker than the paper between them, where they are clear enough to be counted."""
_STRIPS = 10
_EMPTY = 0.03
"""Of the columns, where ink stands between the lines of a staff with hardly a clef on it."""
_CLEF = 3.6
"""Staff spaces from the left edge to where the first clef ends."""
_TAIL = 1.45
"""To where a bass clef's end reaches down, and what is below it stands right of."""
_EXTENTS = {"G": (-2.65, 4.4), "F": (-2.55, 1.1), "C": (-2.05, 2.05)}
"""From where to where a clef reaches, in staff spaces above its line (SMuFL's bounding boxes of Bravura)."""

_OCTAVE = "an octave mark at the clef? Then the notes are an octave {} here than they sound"


def unreadable(framed: Image.Image) -> str:
    """Why a staff in its frame (`data_tools.scores.framing`) cannot be read as music, or nothing.

    Lines are counted only where they are level and clear: a bent or faint staff gets the benefit of the doubt.
    """
    contrast = _contrasts(framed, 2)  # the five lines, and one more above and below
    five, usual = contrast[1:-1], float(np.median(contrast[1:-1]))
    if usual > _CLEAR and min(five) > 0.5 * usual and _goes_on(framed, 0.5 * usual):
        return "it has six or more lines (tablature?); only staves of five are read"
    if usual > _CLEAR and sorted(five)[1] > 0.6 * usual and min(five) < 0.1 * usual:
        return "it has fewer than five lines (chant?); only staves of five are read"
    return "" if _has_signs(framed) else "nothing stands on the staff"


def _goes_on(framed: Image.Image, least: float) -> bool:
    """Whether a line beyond the five, above or below, is drawn from end to end: ledger lines and beams are not."""
    edges = np.linspace(0, framed.width, _STRIPS + 1).astype(int)
    strips = [_contrasts(framed.crop((left, 0, right, framed.height)), 2) for left, right in pairwise(edges)]
    return any(sorted(strip[place] for strip in strips)[1] > least for place in (0, -1))


def find_octave_mark(framed: Image.Image, clef: Clef) -> str:
    """What an 8 above or below the first clef of a framed staff does to its notes, or nothing.

    It is ink where the plain clef has none, of a digit's height and width, with nothing like it to the right, as words
    would have; below a bass clef it stands beside the clef's end, where lines may be, and fills each row between them.
    """
    space = framed.height / (FRAME_ABOVE + FRAME_BELOW)
    dark = binarise(framed)
    low, high = (place + clef.line - 1 for place in _EXTENTS[clef.shape])
    for first, last, what in ((high + 1.5, high + 0.7, "lower"), (low - 0.4, low - 1.5, "higher")):
        rows = dark[max(0, round((FRAME_ABOVE - first) * space)) : max(0, round((FRAME_ABOVE - last) * space))]
        inked = np.flatnonzero(rows[:, : round(_CLEF * space)].any(axis=0)) / space
        beside = rows[:, round((_CLEF + 0.5) * space) : round((_CLEF + 4) * space)]
        if len(inked) and 0.4 < np.ptp(inked) < 1.6 and not beside.any():
            return _OCTAVE.format(what)
    if clef.shape == "F":
        rows = dark[round((FRAME_ABOVE - low - 0.2) * space) : round((FRAME_ABOVE - low + 0.25) * space)]
        shares = rows[:, round(_TAIL * space) : round(_CLEF * space)].sum(axis=1) / space
        if len(shares) and shares.min() > 0.2 and shares.max() < 1.1:
            return _OCTAVE.format("higher")
    return ""


def is_framed(image: Image.Image) -> bool:
    """Whether a grey picture shows five level lines where the frame has them, and paper above."""
    return min(_contrasts(image, 0)) > 4 and 255 - np.asarray(image, np.float32)[:3].mean() < 64


def _contrasts(framed: Image.Image, further: int) -> list[float]:
    """By how many grey levels each line's row is darker than the rows half a space above and below, from the bottom
    up: the five lines, and half of `further` on each side.
    """
    space = framed.height / (FRAME_ABOVE + FRAME_BELOW)
    ink = 255 - np.asarray(framed, np.float32).mean(axis=1)
    first, count = -(further // 2), 5 + further
    places = np.arange(first - 0.5, first + count, 0.5)  # gap, line, gap, … gap
    rows = np.rint((FRAME_ABOVE - places) * space - 0.5).astype(int)
    lines = np.maximum(np.maximum(ink[rows[1::2] - 1], ink[rows[1::2]]), ink[rows[1::2] + 1])
    gaps = ink[rows[::2]]
    return [float(value) for value in lines - np.maximum(gaps[:-1], gaps[1:])]


def _has_signs(framed: Image.Image) -> bool:
    """Whether something stands between the lines."""
    dark = binarise(framed)
    space = framed.height / (FRAME_ABOVE + FRAME_BELOW)
    rows = (FRAME_ABOVE - np.arange(0.5, 4)) * space
    between = [dark[round(row - 0.2 * space) : round(row + 0.2 * space) + 1].any(axis=0).mean() for row in rows]
    return max(between) > _EMPTY
