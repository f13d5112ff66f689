"""Finding staves in a page or photo, and bringing each into the frame that a model reads.

The distance of staff lines comes from vertical runs (the most frequent sum of a black run and the white run below it:
Cardoso and Rebelo, "Robust Staffline Thickness and Distance Estimation", ICPR 2010); the slope from the sharpness of
row sums of the thin runs alone; the staves from a comb of five lines over these sums. numpy and Pillow only.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from PIL import Image

from data_tools.errors import UserError
from data_tools.images import to_channels
from data_tools.scores.framing import Staff
from data_tools.scores.levelling import paper_share
from omr.tracing import fitted, trace

_LARGEST = 2400
_TRACED = 1600
_MOST_SLOPE = 0.105  # about six degrees
_LEAST_SPACE = 4


class NoStaff(UserError):
    """No staff was found; the message is one line."""


@dataclass(frozen=True)
class _Ink:
    """Where the ink is: all of it, and the thin horizontal parts (staff lines, ledger lines, ties)."""

    dark: np.ndarray  # (H, W) bool
    thin: np.ndarray  # (H, W) bool
    space: float
    thickness: float


def find_staves(image: Image.Image) -> list[Staff]:
    """The staves of a picture from top to bottom; raises NoStaff where there is none.

    Rotation up to about five degrees, any size and margins, uneven light. Staves side by side are told apart where a
    gap of several staff spaces lies between them.
    """
    grey = to_channels(image, 1)
    scale = min(1.0, _LARGEST / max(grey.size))
    try:
        return _find(grey, scale)
    except NoStaff:
        if scale == 1 and max(grey.size) <= _LARGEST / 2:  # lines a few pixels apart are found in a larger picture
            with suppress(NoStaff):
                return _find(grey, 2.0)
        if staves := _traced(grey):
            return staves
        raise


def _traced(grey: Image.Image) -> list[Staff]:
    """Staves whose lines are blurred or curved, as straight ones."""
    scale = min(1.0, _TRACED / max(grey.size))
    small = _resized(grey, scale)
    dark, found = binarise(small), []
    for path in trace(1 - paper_share(small).clip(0, 1)):
        slope, top = np.polyfit(path.columns, path.rows, 1)
        bottom = float(top) + 4 * path.space
        middle = bottom + slope * path.columns.mean()
        left, right = _stretched(dark, middle, path.space, int(path.columns[0]), int(path.columns[-1]))
        found.append(Staff(bottom / scale, float(slope), path.space / scale, left / scale, right / scale))
    return _merged(found)


def _merged(staves: list[Staff]) -> list[Staff]:
    """The staves without those that are parts of others: of one place, over columns that both have."""
    kept: list[Staff] = []
    for staff in sorted(staves, key=lambda staff: staff.left - staff.right):
        if not any(_same(staff, other) for other in kept):
            kept.append(staff)
    return sorted(kept, key=staves.index)


def _same(staff: Staff, other: Staff) -> bool:
    left, right = max(staff.left, other.left), min(staff.right, other.right)
    apart = staff.y - other.y + (staff.slope - other.slope) * (left + right) / 2
    return right - left > 0.5 * (staff.right - staff.left) and abs(apart) < 2.5 * other.space


def _find(grey: Image.Image, scale: float) -> list[Staff]:
    ink = _ink(_resized(grey, scale))
    slope = _slope(ink)
    sums, offset = _sheared_sums(ink.thin, slope)
    found = []
    for comb in _combs(sums, ink):
        row, space = fitted(sums, *comb)
        bottom = row + 4 * space + offset
        for left, right in _extents(ink, bottom, slope, space):
            found.append(Staff(bottom / scale, slope, space / scale, left / scale, right / scale))
    if not found:
        raise NoStaff("no staff was found in the picture; show five clear staff lines, nearly level")
    return _merged(found)


def _resized(grey: Image.Image, scale: float) -> Image.Image:
    size = (max(1, round(grey.width * scale)), max(1, round(grey.height * scale)))
    return grey if scale == 1 else grey.resize(size, Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC)


def binarise(grey: Image.Image) -> np.ndarray:
    """(H, W) bool: darker than the paper around it, whatever the light."""
    share = paper_share(grey)
    return share < min(0.86, _otsu(share))


def _otsu(values: np.ndarray) -> float:
    """The threshold between two classes of values from 0 to 1 (Otsu 1979)."""
    counts, edges = np.histogram(np.clip(values, 0, 1), bins=64, range=(0, 1))
    below = np.cumsum(counts)
    above = below[-1] - below
    centres = (edges[:-1] + edges[1:]) / 2
    sums = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    best = np.nanargmax(np.where(np.isfinite(spread), spread, -1.0))
    return float(edges[best + 1])


def _ink(grey: Image.Image) -> _Ink:
    dark = binarise(grey)
    tops, bottoms, columns = _runs(dark)
    if len(tops) < 20:
        raise NoStaff("the picture is blank; show a staff")
    follows = (columns[1:] == columns[:-1]) & (tops[1:] > bottoms[:-1])
    pairs = (tops[1:] - tops[:-1])[follows]
    lengths = (bottoms - tops)[:-1][follows]
    counts = np.bincount(pairs[pairs < grey.height], minlength=8).astype(float)
    counts[:_LEAST_SPACE] = 0
    smooth = np.convolve(counts, [0.5, 1.0, 0.5], mode="same")
    mode = int(np.argmax(smooth))
    near = np.abs(pairs - mode) <= max(1, mode // 12)
    if near.sum() < 20:
        raise NoStaff("no staff was found in the picture; show five clear staff lines, nearly level")
    thickness = float(np.median(lengths[near]))
    thin = np.zeros_like(dark)
    flat = np.flatnonzero((bottoms - tops) <= max(1.5 * thickness, thickness + 1))
    thin[(tops[flat] + bottoms[flat] - 1) // 2, columns[flat]] = True
    return _Ink(dark, thin, float(pairs[near].mean()), thickness)


def _runs(dark: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertical runs of ink, column by column: first row, row behind the last, column."""
    edges = np.diff(np.pad(dark.T.astype(np.int8), ((0, 0), (1, 1))), axis=1)  # (W, H + 1)
    columns, tops = np.nonzero(edges == 1)
    return tops, np.nonzero(edges == -1)[1], columns


def _slope(ink: _Ink) -> float:
    """The slope whose row sums are sharpest, sought coarsely, then finely."""
    rows, columns = np.nonzero(ink.thin)
    if len(rows) > 60_000:
        kept = np.linspace(0, len(rows) - 1, 60_000).astype(int)
        rows, columns = rows[kept], columns[kept]
    best, reach = 0.0, _MOST_SLOPE
    step = max(1.0 / ink.thin.shape[1], 1e-4)
    while reach > step / 2:
        slopes = best + np.linspace(-reach, reach, 25)
        sharpness = [_sharpness(rows - slope * columns) for slope in slopes]
        best, reach = float(slopes[int(np.argmax(sharpness))]), reach / 6
    return best


def _sharpness(heights: np.ndarray) -> float:
    counts = np.bincount(np.rint(heights - heights.min()).astype(int)).astype(float)
    smooth = np.convolve(counts, [1.0, 1.0], mode="same")
    return float((smooth**2).sum())


def _sheared_sums(thin: np.ndarray, slope: float) -> tuple[np.ndarray, float]:
    """How much thin ink lies on each line of that slope, and the height at x = 0 of the first of them."""
    rows, columns = np.nonzero(thin)
    heights = rows - slope * columns
    lowest = float(np.floor(heights.min()))
    return np.bincount(np.rint(heights - lowest).astype(int)).astype(float), lowest


def _combs(sums: np.ndarray, ink: _Ink) -> list[tuple[float, float]]:
    """(row of the highest line, staff space) of each staff, from top to bottom."""
    smooth = np.convolve(sums, [0.5, 1.0, 1.0, 0.5], mode="same") if ink.space > 7 else sums + 0.5 * _beside(sums)
    spaces = ink.space * np.linspace(0.94, 1.06, 13)
    responses = np.stack([_comb(smooth, space) for space in spaces])  # (spaces, rows)
    best, which = responses.max(axis=0), responses.argmax(axis=0)
    least = max(0.3 * best.max(), 8 * ink.space)
    found: list[tuple[float, float]] = []
    while best.size and best.max() >= least:
        row = int(best.argmax())
        space = float(spaces[which[row]])
        found.append((float(row), space))
        best[max(0, row - round(5.5 * space)) : row + round(5.5 * space)] = 0
    return sorted(found)


def _beside(sums: np.ndarray) -> np.ndarray:
    return np.convolve(sums, [1.0, 0.0, 1.0], mode="same")


def _comb(sums: np.ndarray, space: float) -> np.ndarray:
    """How well five lines `space` apart, the highest at each row, fit: the weakest two count, gaps count against."""
    size = len(sums)
    teeth = [np.rint(np.arange(size) + k * space).astype(int) for k in range(5)]
    padded = np.concatenate([sums, np.zeros(round(6 * space) + 2)])
    lines = np.sort(np.stack([padded[tooth] for tooth in teeth]), axis=0)
    gaps = [padded[np.rint(np.arange(size) + (k + 0.5) * space).astype(int)] for k in range(4)]
    return lines[0] + lines[1] + 0.2 * lines[2:].sum(axis=0) - 0.5 * np.mean(gaps, axis=0)


def _extents(ink: _Ink, bottom: float, slope: float, space: float) -> list[tuple[float, float]]:
    """From where to where the five lines run; several where a wide gap parts them."""
    lines = np.stack([_along(ink.thin, bottom - line * space, slope, 0.3 * space) for line in range(5)])  # (5, W)
    gaps = np.stack([_along(ink.thin, bottom - (line + 0.5) * space, slope, 0.1 * space) for line in range(4)])
    good = np.flatnonzero(lines.sum(axis=0) >= 3)
    if not len(good):
        return []
    parts = np.split(good, np.flatnonzero(np.diff(good) > 9 * space) + 1)
    found = []
    for part in parts:
        left, right = int(part[0]), int(part[-1]) + 1
        on, off = lines[:, left:right].mean(), gaps[:, left:right].mean()
        if right - left >= 8 * space and len(part) >= 0.5 * (right - left) and on - off > 0.4:
            found.append(_stretched(ink.dark, bottom + slope * (left + right) / 2, space, left, right))
    return found


def _stretched(dark: np.ndarray, bottom: float, space: float, left: int, right: int) -> tuple[float, float]:
    """From `left` to `right` and on, as long as ink follows within two staff spaces: where lines bend away or fade."""
    rows = slice(max(0, round(bottom - 5 * space)), max(0, round(bottom + space)))
    inked = np.flatnonzero(dark[rows].any(axis=0))
    first, last = np.searchsorted(inked, left), np.searchsorted(inked, right) - 1
    while first > 0 and inked[first] - inked[first - 1] <= 2 * space:
        first -= 1
    while last + 1 < len(inked) and inked[last + 1] - inked[last] <= 2 * space:
        last += 1
    return float(min(left, inked[first])), float(max(right, inked[last] + 1))


def _along(mask: np.ndarray, y: float, slope: float, reach: float) -> np.ndarray:
    """(W,) bool: whether the mask is set within `reach` rows of the line of that height at x = 0."""
    height, width = mask.shape
    x = np.arange(width)
    centre = np.rint(y + slope * x).astype(int)
    hit = np.zeros(width, bool)
    for shift in range(-max(1, round(reach)), max(1, round(reach)) + 1):
        row = centre + shift
        inside = (row >= 0) & (row < height)
        hit[inside] |= mask[row[inside], x[inside]]
    return hit


def crop_to_ink(framed: Image.Image) -> Image.Image:
    """A framed staff cropped to its ink, as PrIMuS's pictures are."""
    dark = binarise(framed)
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    if not len(rows):
        return framed
    return framed.crop((int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1))
