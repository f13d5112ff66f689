"""Following staves that are not straight or not sharp: a comb of five lines in narrow strips, linked across them.

`omr.staves` looks for sharp, straight lines first. Here nothing is binarised: in strips a few pixels wide, where even a
curved line is level, row means are compared with a comb of five lines and the gaps between them; dynamic programming
(Viterbi's, allowed to begin and end anywhere) links the strips into the path that a staff takes.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

_STRIP = 16  # columns
_STEEPEST = 2  # rows from one strip to the next
_SPACES = tuple(4.0 * 1.04**k for k in range(45))  # pixels between lines, to 22
_FLOOR = 0.15  # what a strip must reach to prolong a path; a perfect comb has about 2
_LEAST_CONTRAST = 0.02  # of lines over gaps, as a share of the paper's brightness
_AROUND = 2  # spacings that are tried, above and below the likeliest one
_TRIES = 60  # paths looked at
_BEGINS = -9
_SPARSE = 3  # each so many columns tell whether a path shows five lines
_LEAST = 0.1  # of the best path's worth

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
    means = cv2.resize(dark[:, : strips * _STRIP], (strips, height), interpolation=cv2.INTER_AREA)
    spaces = _likely_spaces(dark, strips)
    worth, came = _linked(np.stack([_fits(means, space) for space in spaces]) - np.float32(_FLOOR))
    least, found = _LEAST * float(worth.max()), []
    for _ in range(_TRIES):
        which, row, strip = np.unravel_index(int(worth.argmax()), worth.shape)
        if worth[which, row, strip] <= max(0.0, least):
            break
        space = spaces[which]
        first, rows = _traced_back(came[which], int(row), int(strip))
        apart = all(_are_apart(path, first, rows) for path in found)
        staff = _checked(dark, first, rows, space) if apart else None
        if apart and staff is None:
            break
        found += [staff] if staff else []
        for place, at in enumerate(rows, first):  # no further path ends here
            worth[:, max(0, round(at - 5 * space)) : round(at + 5 * space), place] = -np.inf
    return sorted(found, key=lambda staff: staff.rows.mean())


def _likely_spaces(dark: np.ndarray, strips: int) -> list[float]:
    """The spacing at which what lasts along rows is most like itself further down, up to four lines on, and those next
    to it.
    """
    lasting = cv2.erode(dark, np.ones((1, _STRIP // 2 + 1), np.uint8))
    means = cv2.resize(lasting, (strips, len(dark)), interpolation=cv2.INTER_AREA)
    size = 2 * len(dark)
    power = np.abs(np.fft.rfft(means - means.mean(axis=0), size, axis=0)) ** 2
    likeness = np.fft.irfft(power.sum(axis=1), size)[: len(dark)]
    spaces = np.array([space for space in _SPACES if 5 * space < len(dark)])
    at = np.interp(spaces[:, None] * np.arange(0.5, 5, 0.5), np.arange(len(dark)), likeness)  # gap, line, gap, …
    best = int((at[:, 1::2] - np.maximum(at[:, :-1:2], at[:, 2::2])).mean(axis=1).argmax())
    return spaces[max(0, best - _AROUND) : best + _AROUND + 1].tolist()


def _traced_back(came: np.ndarray, row: int, strip: int) -> tuple[int, np.ndarray]:
    """The path that ends there: its first strip and the row in each of its strips."""
    rows = [row]
    while (step := int(came[rows[-1], strip])) > _BEGINS:
        rows.append(rows[-1] + step)
        strip -= 1
    return strip, np.array(rows[::-1])


def _are_apart(staff: Trace, first: int, rows: np.ndarray) -> bool:
    """Whether a path keeps clear of the staff."""
    columns = (first + np.arange(len(rows)) + 0.5) * _STRIP
    shared = (columns >= staff.columns[0]) & (columns <= staff.columns[-1])
    away = np.abs(rows - np.interp(columns, staff.columns, staff.rows))[shared]
    return not len(away) or float(away.min()) > 4 * staff.space


def _fits(means: np.ndarray, space: float) -> np.ndarray:
    """(H, S): how well a comb with its highest line at each row fits the strip; flat strips fit nothing."""
    levels = _sampled(means, space * np.concatenate([np.arange(5), np.arange(-1, 5) + 0.5]))
    lines, gaps = levels[:5], levels[5:]
    weakest = np.sort(lines, axis=0)[:2].mean(0)
    spread = levels.std(0)
    least = 0.3 * np.percentile(spread[::2, ::2], 95) + 1e-6
    return (0.5 * weakest + 0.5 * lines.mean(0) - gaps.mean(0)) / (spread + least)


def _sampled(means: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """(shifts, H, S): `means` at every row + each shift, between rows in proportion; paper outside."""
    height, margin = len(means), int(np.abs(shifts).max()) + 2
    padded = np.pad(means, ((margin, margin), (0, 0)))
    sampled = np.empty((len(shifts), *means.shape), np.float32)
    for shift, out in zip(shifts, sampled):
        whole = int(np.floor(shift))
        part, begin = np.float32(shift - whole), margin + whole
        out[:] = (1 - part) * padded[begin : begin + height] + part * padded[begin + 1 : begin + 1 + height]
    return sampled


def _linked(fits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each spacing (P, H, S) the worth of the best path that ends at each row and strip; where it came from (rows),
    `_BEGINS` where it begins.
    """
    spacings, height, strips = fits.shape
    worth, came = np.array(fits), np.full(fits.shape, _BEGINS, np.int8)
    before = np.full((spacings, height + 2 * _STEEPEST), -np.inf, np.float32)
    steps = sliding_window_view(before, 2 * _STEEPEST + 1, axis=1)  # (P, H, shifts), as `before` is at the time
    cost = np.float32(0.05) * np.abs(np.arange(-_STEEPEST, _STEEPEST + 1, dtype=np.float32))
    for strip in range(1, strips):
        before[:, _STEEPEST:-_STEEPEST] = worth[:, :, strip - 1]
        options = steps - cost
        choice = options.argmax(axis=2)
        best = np.take_along_axis(options, choice[:, :, None], 2)[:, :, 0]
        worth[:, :, strip] += best.clip(0)
        came[:, :, strip] = np.where(best > 0, choice - _STEEPEST, _BEGINS)
    return worth, came


def _checked(dark: np.ndarray, first: int, rows: np.ndarray, space: float) -> Trace | None:
    """The path with its place and spacing to a fraction of a pixel, or None where it shows no five lines."""
    if len(rows) * _STRIP < 8 * space:
        return None
    smooth = np.convolve(np.pad(rows, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    columns = (first + np.arange(len(rows)) + 0.5) * _STRIP
    inside = np.arange(first * _STRIP, (first + len(rows)) * _STRIP, _SPARSE)
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
