"""Staves whose lines are straight, sharp and of one slope: a comb of five lines over the sums of ink along them."""

from __future__ import annotations

import numpy as np

from data_tools.scores.framing import Staff
from omr.ink import Ink
from omr.tracing import fitted

MOST_SLOPE = 0.105
"""About six degrees."""
_LEAN = 0.04  # how far a staff's slope may be from that of the others: perspective
_BAND = 4  # staff spaces around a staff that its own slope is sought in
_FOLLOWS = 0.4
_POINTS = 12_000  # of thin ink, that a slope is sought with


def find_combs(ink: Ink) -> list[Staff]:
    """Staves of one spacing whose lines have about one slope; where there are several, each with its own."""
    points = np.nonzero(ink.thin)
    slope = _slope(*points, ink.thin.shape[1])
    sums, offset = _sheared_sums(*points, slope)
    combs, found = _combs(sums, ink), []
    for row, space in combs:
        own, at = slope, (sums, offset)
        if len(combs) > 1:
            own, at, row = _own_slope(points, slope, row + offset, space)
        row, space = fitted(at[0], row, space)
        bottom = row + 4 * space + at[1]
        found += [Staff(bottom, own, space, *ends) for ends in _extents(ink, bottom, own, space)]
    return found


def _own_slope(
    points: tuple[np.ndarray, np.ndarray], slope: float, top: float, space: float
) -> tuple[float, tuple[np.ndarray, float], float]:
    """A staff's slope near `slope`, the sheared sums around it, and the row of its highest line in them."""
    rows, columns = points
    near = np.abs(rows - slope * columns - top - 2 * space) < 2 * space + _BAND * space
    rows, columns = rows[near], columns[near]
    best = (-1.0, slope, np.zeros(1), 0.0, 0.0)
    for reach, count in ((_LEAN, 17), (_LEAN / 8, 9)):
        for lean in best[1] + np.linspace(-reach, reach, count):
            sums, offset = _sheared_sums(rows, columns, lean)
            worth = _comb(sums + 0.5 * _beside(sums), space)
            if worth.size and worth.max() > best[0]:
                best = (float(worth.max()), float(lean), sums, offset, float(worth.argmax()))
    return best[1], best[2:4], best[4]


def _slope(rows: np.ndarray, columns: np.ndarray, width: int) -> float:
    """The slope whose row sums of the points are sharpest, sought coarsely, then finely."""
    if len(rows) > _POINTS:
        kept = np.linspace(0, len(rows) - 1, _POINTS).astype(int)
        rows, columns = rows[kept], columns[kept]
    best, reach = 0.0, MOST_SLOPE
    step = max(1.0 / width, 1e-4)
    while reach > step / 2:
        slopes = best + np.linspace(-reach, reach, 25)
        best, reach = float(slopes[int(np.argmax(_sharpness(rows, columns, slopes)))]), reach / 6
    return best


def _sharpness(rows: np.ndarray, columns: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """How unevenly the points lie on lines of each slope: squares of the counts of two rows."""
    heights = np.rint(rows - slopes[:, None] * columns).astype(int)
    heights -= heights.min()
    count = int(heights.max()) + 1
    places = (heights + count * np.arange(len(slopes))[:, None]).ravel()
    counts = np.bincount(places, minlength=count * len(slopes)).reshape(len(slopes), count)
    return ((counts[:, 1:] + counts[:, :-1]) ** 2).sum(axis=1)


def _sheared_sums(rows: np.ndarray, columns: np.ndarray, slope: float) -> tuple[np.ndarray, float]:
    """How many of the points lie on each line of that slope, and the height at x = 0 of the first of them."""
    heights = rows - slope * columns
    lowest = float(np.floor(heights.min()))
    return np.bincount(np.rint(heights - lowest).astype(int)).astype(float), lowest


def _combs(sums: np.ndarray, ink: Ink) -> list[tuple[float, float]]:
    """(row of the highest line, staff space) of each staff, from top to bottom."""
    smooth = np.convolve(sums, [0.5, 1.0, 1.0, 0.5], mode="same") if ink.space > 7 else sums + 0.5 * _beside(sums)
    spaces = ink.space * np.linspace(0.94, 1.06, 7)
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


def _extents(ink: Ink, bottom: float, slope: float, space: float) -> list[tuple[float, float]]:
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
            found.append(stretched(ink.dark, bottom + slope * (left + right) / 2, space, left, right))
    return found


def stretched(dark: np.ndarray, bottom: float, space: float, left: int, right: int) -> tuple[float, float]:
    """From `left` to `right` and on, as long as ink follows within two staff spaces, nearly half as much as between
    them: where lines bend away or fade; noise is less.
    """
    rows = slice(max(0, round(bottom - 5 * space)), max(0, round(bottom + space)))
    wide = max(1, round(space))
    amount = np.convolve(np.count_nonzero(dark[rows], axis=0), np.full(wide, 1 / wide), "same")
    inked = np.flatnonzero(amount >= max(_FOLLOWS * np.median(amount[left:right]), 0.5 / wide))
    if not len(inked):
        return float(left), float(right)
    first, last = np.searchsorted(inked, left), np.searchsorted(inked, right) - 1
    begin = inked[first] if first < len(inked) else left
    while first > 0 and begin - inked[first - 1] <= 2 * space:
        first -= 1
        begin = inked[first]
    end = inked[last] if last >= 0 else right - 1
    while last + 1 < len(inked) and inked[last + 1] - end <= 2 * space:
        last += 1
        end = inked[last]
    return float(min(left, begin)), float(max(right, end + 1))


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
