"""The ink of a picture of music on white paper: what is dark, and which of it is as thin as staff lines.

The distance of staff lines comes from vertical runs (the most frequent sum of a black run and the white run below it:
Cardoso and Rebelo, "Robust Staffline Thickness and Distance Estimation", ICPR 2010).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from data_tools.errors import UserError

_LEAST_SPACE = 4
_DARKEST_PAPER, _DARKEST_NOISE = 219, 96
_NOISE = 6  # times the distance of the paper's lower quartile from its median: about four standard deviations
NO_STAFF = "no staff was found in the picture; show five clear staff lines, nearly level"


class NoStaff(UserError):
    """No staff was found; the message is one line."""


@dataclass(frozen=True)
class Ink:
    """Where the ink is: all of it, and the thin horizontal parts (staff lines, ledger lines, ties)."""

    dark: np.ndarray  # (H, W) bool
    thin: np.ndarray  # (H, W) bool
    space: float
    thickness: float


def binarise(paper: Image.Image) -> np.ndarray:
    """(H, W) bool: what is dark in a picture on white paper (mode L), and no noise of it."""
    levels = np.asarray(paper)
    counts = np.bincount(levels.ravel(), minlength=256)
    quarter, median = np.searchsorted(np.cumsum(counts), levels.size * np.array((0.25, 0.5)))
    cleared = max(_DARKEST_NOISE, int(median) - _NOISE * int(median - quarter))
    return levels < min(_DARKEST_PAPER, _otsu(counts), cleared)


def _otsu(counts: np.ndarray) -> int:
    """The threshold between two classes of the levels that were counted (Otsu 1979)."""
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * np.arange(len(counts)))
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return int(np.argmax(np.nan_to_num(spread, nan=-1.0))) + 1


def find_ink(dark: np.ndarray) -> Ink:
    """What is thin among the ink, and how far lines lie apart; raises NoStaff where that cannot be told."""
    tops, bottoms, columns = _runs(dark)
    if len(tops) < 20:
        raise NoStaff("the picture is blank; show a staff")
    follows = (columns[1:] == columns[:-1]) & (tops[1:] > bottoms[:-1])
    pairs = (tops[1:] - tops[:-1])[follows]
    lengths = (bottoms - tops)[:-1][follows]
    counts = np.bincount(pairs[pairs < len(dark)], minlength=8).astype(float)
    counts[:_LEAST_SPACE] = 0
    smooth = np.convolve(counts, [0.5, 1.0, 0.5], mode="same")
    mode = int(np.argmax(smooth))
    near = np.abs(pairs - mode) <= max(1, mode // 12)
    if near.sum() < 20:
        raise NoStaff(NO_STAFF)
    thickness = float(np.median(lengths[near]))
    thin = np.zeros_like(dark)
    flat = np.flatnonzero((bottoms - tops) <= max(1.5 * thickness, thickness + 1))
    thin[(tops[flat] + bottoms[flat] - 1) // 2, columns[flat]] = True
    return Ink(dark, thin, float(pairs[near].mean()), thickness)


def _runs(dark: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertical runs of ink, column by column: first row, row behind the last, column."""
    edges = np.diff(np.pad(dark.T.astype(np.int8), ((0, 0), (1, 1))), axis=1)  # (W, H + 1)
    columns, tops = np.nonzero(edges == 1)
    return tops, np.nonzero(edges == -1)[1], columns


def crop_to_ink(framed: Image.Image) -> Image.Image:
    """A framed staff cropped to its ink, as PrIMuS's pictures are."""
    dark = binarise(framed)
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    if not len(rows):
        return framed
    return framed.crop((int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1))
