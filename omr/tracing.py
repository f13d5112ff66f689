"""Following staves that are not straight or not sharp: a comb of five lines in narrow strips, linked across them.

`omr.staves` looks for sharp, straight lines first. Here nothing is binarised: in strips a few pixels wide, where even a
curved line is level, row means are compared with a comb of five lines and the gaps between them; dynamic programming
(Viterbi's, allowed to begin and end anywhere) links the strips into the path that a staff takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

_STRIP = 16  # columns
_STEEPEST = 2  # rows from one strip to the next
_SPACES = tuple(4.0 * 1.04**k for k in range(45))  # pixels between lines, to 22
_FLOOR = 0.15  # what a strip must reach to prolong a path; a perfect comb has about 2
_LEAST_CONTRAST = 0.02  # of lines over gaps, as a share of the paper's brightness

_PLACES = (np.arange(5), np.arange(4) + 0.5)  # lines, gaps; in staff spaces


@dataclass(frozen=True)
class Trace:
    """A staff's path: the highest line at `rows` (float) where the columns are `columns`; lines `space` apart."""

    columns: np.ndarray
    rows: np.ndarray
    space: float


def trace(dark: np.ndarray) -> list[Trace]:
    """Staves of a picture, from top to bottom; `dark` (H, W) is 0 for paper and 1 for black."""
    height, strips = len(dark), dark.shape[1] // _STRIP
    if strips < 4 or height < 20:
        return []
    means = dark[:, : strips * _STRIP].reshape(height, strips, _STRIP).mean(2)  # (H, S)
    spaces = [space for space in _SPACES if 5 * space < height]
    found: list[Trace] = []
    while spaces and len(found) < 40:
        best = max(_paths(means, spaces), key=lambda path: path[0], default=None)
        if best is None or (staff := _checked(dark, *best[1:])) is None:
            break
        found.append(staff)
        means = _without(means, best[1], best[2], best[3])
        spaces = [space for space in spaces if abs(space / best[3] - 1) < 0.1]
    return sorted(found, key=lambda staff: staff.rows.mean())


def _paths(means: np.ndarray, spaces: list[float]) -> Iterator[tuple[float, int, np.ndarray, float]]:
    """For each spacing the best path: its worth, first strip, the highest line's row in each strip, the spacing."""
    fits = np.stack([_fits(means, space) for space in spaces]) - _FLOOR
    for space, worth, came in zip(spaces, *_linked(fits)):
        row, last = np.unravel_index(int(worth.argmax()), worth.shape)
        rows = [int(row)]
        strip = int(last)
        while came[rows[-1], strip] > -9:
            rows.append(rows[-1] + int(came[rows[-1], strip]))
            strip -= 1
        yield float(worth[row, last]), strip, np.array(rows[::-1]), space


def _fits(means: np.ndarray, space: float) -> np.ndarray:
    """(H, S): how well a comb with its highest line at each row fits the strip; flat strips fit nothing."""
    lines = _sampled(means, space * np.arange(5))
    gaps = _sampled(means, space * (np.arange(-1, 5) + 0.5))
    weakest = np.sort(lines, axis=0)[:2].mean(0)
    spread = np.concatenate([lines, gaps]).std(0)
    least = 0.3 * np.percentile(spread, 95) + 1e-6
    return (0.5 * weakest + 0.5 * lines.mean(0) - gaps.mean(0)) / (spread + least)


def _sampled(means: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """(shifts, H, S): `means` at every row + each shift, between rows in proportion; paper outside."""
    height, margin = len(means), int(np.abs(shifts).max()) + 2
    padded = np.pad(means, ((margin, margin), (0, 0)))
    sampled = []
    for shift in shifts:
        whole = int(np.floor(shift))
        part, begin = shift - whole, margin + whole
        sampled.append((1 - part) * padded[begin : begin + height] + part * padded[begin + 1 : begin + 1 + height])
    return np.stack(sampled)


def _linked(fits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each spacing (P, H, S) the worth of the best path that ends at each row and strip; where it came from (rows),
    -9 where it begins.
    """
    spacings, height, strips = fits.shape
    worth, came = np.array(fits), np.full(fits.shape, -9, np.int8)
    before = np.full((spacings, height + 2 * _STEEPEST), -np.inf)
    steps = sliding_window_view(before, 2 * _STEEPEST + 1, axis=1)  # (P, H, shifts), as `before` is at the time
    cost = 0.05 * np.abs(np.arange(-_STEEPEST, _STEEPEST + 1))
    for strip in range(1, strips):
        before[:, _STEEPEST:-_STEEPEST] = worth[:, :, strip - 1]
        options = steps - cost
        choice = options.argmax(axis=2)
        best = np.take_along_axis(options, choice[:, :, None], 2)[:, :, 0]
        worth[:, :, strip] += best.clip(0)
        came[:, :, strip] = np.where(best > 0, choice - _STEEPEST, -9)
    return worth, came


def _checked(dark: np.ndarray, first: int, rows: np.ndarray, space: float) -> Trace | None:
    """The path with its place and spacing to a fraction of a pixel, or None where it shows no five lines."""
    if len(rows) * _STRIP < 8 * space:
        return None
    smooth = np.convolve(np.pad(rows, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    columns = (first + np.arange(len(rows)) + 0.5) * _STRIP
    inside = np.arange(first * _STRIP, (first + len(rows)) * _STRIP)
    top = np.interp(inside, columns, smooth)
    fine = 4
    offsets = np.arange(-fine * space, 5 * fine * space) / fine
    at = np.rint(top + offsets[:, None]).astype(int)  # (offsets, columns)
    darkness = np.where((at >= 0) & (at < len(dark)), dark[at.clip(0, len(dark) - 1), inside], 0)
    profile = np.median(darkness, axis=1)  # notes cover a line or a gap here and there only
    row, spacing = fitted(profile - profile.min(), float(round(fine * space)), fine * space)
    on, off = (np.rint(row + k * spacing).astype(int).clip(0, len(profile) - 1) for k in _PLACES)
    contrast = profile[on].mean() - profile[off].mean()
    valleys = np.minimum(profile[on[:-1]], profile[on[1:]]) - profile[off]
    noise = np.median(np.abs(darkness[off] - profile[off, None]))
    if contrast < max(_LEAST_CONTRAST, noise) or valleys.min() < 0.25 * contrast:
        return None
    return Trace(columns, smooth + float(np.interp(row, np.arange(len(offsets)), offsets)), spacing / fine)


def fitted(sums: np.ndarray, row: float, space: float) -> tuple[float, float]:
    """The comb's place and spacing to a fraction of a pixel: a line through the centres of its five teeth."""
    centres = []
    for k in range(5):
        middle, reach = row + k * space, max(1, round(0.3 * space))
        places = np.arange(max(0, round(middle) - reach), min(len(sums), round(middle) + reach + 1))
        weights = sums[places] ** 2
        centres.append(float((places * weights).sum() / weights.sum()) if weights.sum() else middle)
    spacing, first = np.polyfit(np.arange(5), centres, 1)
    return (float(first), float(spacing)) if 0.9 * space < spacing < 1.1 * space else (row, space)


def _without(means: np.ndarray, first: int, rows: np.ndarray, space: float) -> np.ndarray:
    """The strips without the staff that was found there."""
    left = means.copy()
    for strip, row in enumerate(rows, first):
        left[max(0, round(row - space)) : round(row + 5 * space), strip] = 0
    return left
