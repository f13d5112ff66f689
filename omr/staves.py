"""Finding the staves of a page or photo: straight, sharp ones (`omr.combs`), else blurred or bent ones (`omr.tracing`).

Pictures here are on white paper already (`data_tools.scores.levelling`), mode L.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from PIL import Image

from data_tools.images import to_channels
from data_tools.scores.framing import Staff
from data_tools.scores.levelling import levelled
from omr.combs import MOST_SLOPE, find_combs, stretched
from omr.ink import NO_STAFF, NoStaff, binarise, find_ink
from omr.tracing import trace

_LARGEST = 2400
_TRACED = 1600
_ROUNDS = 6  # of looking again at what is left; each has one size of staves and one slope
_REST = 0.12  # of the ink: as much is left on a page with one more staff than were found, up to eight


def find_staves(image: Image.Image) -> list[Staff]:
    """The staves of a picture from top to bottom; raises NoStaff where there is none.

    Rotation up to about five degrees, any size and margins, uneven light. Staves side by side are told apart where a
    gap of several staff spaces lies between them.
    """
    return find_on_paper(levelled(to_channels(image, 1)))


def find_on_paper(paper: Image.Image) -> list[Staff]:
    """`find_staves` on white paper."""
    with suppress(NoStaff):
        return find_sharp(paper)[0]
    if max(paper.size) <= _LARGEST / 2:  # lines a few pixels apart are found in a larger picture
        with suppress(NoStaff):
            return find_sharp(paper, 2.0)[0]
    return find_blurred(paper)[0]


def find_blurred(paper: Image.Image) -> tuple[list[Staff], bool]:
    """`find_sharp` for staves whose lines are blurred or bent; they are described as straight ones."""
    scale = min(1.0, _TRACED / max(paper.size))
    small = _resized(paper, scale)
    dark, found = binarise(small), []
    for path in trace(1 - np.asarray(small, np.float32) / 255):
        slope, top = np.polyfit(path.columns, path.rows, 1)
        bottom = float(top) + 4 * path.space
        middle = bottom + slope * path.columns.mean()
        ends = stretched(dark, middle, path.space, int(path.columns[0]), int(path.columns[-1]))
        found.append(Staff(bottom, float(slope), path.space, *ends))
    if not found:
        raise NoStaff(NO_STAFF)
    return [_scaled(staff, 1 / scale) for staff in _merged(found)], _are_all(found, dark)


def _are_all(staves: list[Staff], dark: np.ndarray) -> bool:
    """Whether they may be all that the picture holds: nearly level, and with them most of its ink."""
    return _rest(dark, staves) < 0.5 and all(abs(staff.slope) < 0.8 * MOST_SLOPE for staff in staves)


def find_sharp(paper: Image.Image, zoom: float = 1.0) -> tuple[list[Staff], bool]:
    """Staves whose lines are straight and sharp, from top to bottom, and whether they may be all that the picture
    holds; raises NoStaff. Small pictures are looked at `zoom` times as large.
    """
    scale = min(zoom, _LARGEST / max(paper.size))
    ink = find_ink(binarise(_resized(paper, scale)))
    found = find_combs(ink)
    if not found:
        raise NoStaff(NO_STAFF)
    for _ in range(_ROUNDS):  # what is left may hold staves of another size or slope
        if _rest(ink.dark, found) < _REST:
            break
        try:
            further = find_combs(find_ink(_without(ink.dark, found)))
        except NoStaff:
            break
        found += further
        if not further:
            break
    found.sort(key=lambda staff: staff.y + staff.slope * (staff.left + staff.right) / 2)
    return [_scaled(staff, 1 / scale) for staff in _merged(found)], _are_all(found, ink.dark)


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


def _rest(dark: np.ndarray, staves: list[Staff]) -> float:
    """The share of the ink that is not the staves', from each fourth row and column."""
    sparse = dark[::4, ::4]
    rest = _without(sparse, [_scaled(staff, 0.25) for staff in staves])
    return np.count_nonzero(rest) / max(1, np.count_nonzero(sparse))


def _without(dark: np.ndarray, staves: list[Staff]) -> np.ndarray:
    """The ink without that of the staves, their ledger lines and what is close to them."""
    rest = dark.copy()
    rows, columns = np.arange(dark.shape[0])[:, None], np.arange(dark.shape[1])
    for staff in staves:
        left, right = max(0, int(staff.left - staff.space)), min(dark.shape[1], int(staff.right + staff.space))
        bottom = staff.y + staff.slope * columns[left:right]
        low, high = int(bottom.min() - 7 * staff.space), int(bottom.max() + 3 * staff.space) + 1
        part = slice(max(0, low), max(0, high))
        rest[part, left:right] &= np.abs(rows[part] - bottom + 2 * staff.space) > 5 * staff.space
    return rest


def _scaled(staff: Staff, zoom: float) -> Staff:
    return Staff(staff.y * zoom, staff.slope, staff.space * zoom, staff.left * zoom, staff.right * zoom)


def _resized(grey: Image.Image, scale: float) -> Image.Image:
    size = (max(1, round(grey.width * scale)), max(1, round(grey.height * scale)))
    return grey if scale == 1 else grey.resize(size, Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC)
