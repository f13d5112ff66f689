"""A staff drawn straight along its course through a picture: perspective and bent paper are undone.

A staff is found as a straight one (`omr.staves`) and drawn level. In that picture its five lines are followed in strips
across them. Where they run straight, converging or not, two straight lines are fitted to them; where they bend, each
strip keeps its own place and spacing. Then the staff is drawn again: every column with its own shift and scale, and all
of them with one slant.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from data_tools.scores.engraving import FRAME_ABOVE, FRAME_BELOW
from data_tools.scores.framing import Staff
from omr.courses import clarity, follow

_MARGIN = 0.6  # staff spaces drawn left and right of the lines
_SLANTS = np.arange(-5, 6) * 0.08
_MIDDLE = len(_SLANTS) // 2
_TALL = 2.2  # staff spaces
_UPRIGHT = 0.04  # a slant that models have learnt to read


@dataclass(frozen=True)
class Course:
    """Points (K,) of a staff's lowest line from left to right; lines are `space` (K,) pixels apart there."""

    x: np.ndarray
    y: np.ndarray
    space: np.ndarray

    @classmethod
    def straight(cls, staff: Staff) -> Course:
        """As it was found."""
        x = np.array((staff.left, staff.right))
        return cls(x, staff.y + staff.slope * x, np.full(2, staff.space))

    @property
    def along(self) -> np.ndarray:
        """(K,): how far the points lie from the first one, in staff spaces."""
        steps = np.hypot(np.diff(self.x), np.diff(self.y)) / ((self.space[1:] + self.space[:-1]) / 2)
        return np.concatenate([[0.0], np.cumsum(steps)])

    def locate(self, along: np.ndarray, below: np.ndarray, slant: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """x and y of what lies so many staff spaces along the lowest line (N,) and below it, in the directions of a
        staff whose upright strokes lean to the right by `slant` for each upwards. `below` is (N,) or (M, 1).
        """
        x, y, space, right, down = self._at(along)
        reach = below * space
        return x - reach * (down + slant * right).astype(np.float32), y + reach * (right - slant * down).astype(
            np.float32
        )

    def _at(self, along: np.ndarray) -> list[np.ndarray]:
        """(N,) each: x, y, space and the direction (x, y) of the staff; beyond its ends as at its ends."""
        own = self.along
        step_x, step_y = (np.gradient(values, own) for values in (self.x, self.y))
        length = np.hypot(step_x, step_y)
        beyond = np.minimum(along, 0) + np.maximum(along - own[-1], 0)
        x, y = (np.interp(along, own, values) for values in (self.x, self.y))
        space, right, down = (np.interp(along, own, v) for v in (self.space, step_x / length, step_y / length))
        found = x + beyond * space * right, y + beyond * space * down, space, right, down
        return [values.astype(np.float32) for values in found]

    def moved(self, along: np.ndarray, below: np.ndarray, ratio: np.ndarray) -> Course:
        """The course through what lies there, with the spacing changed by those ratios; all (K,)."""
        return Course(*self.locate(along, below), np.interp(along, self.along, self.space) * ratio)


def draw_straight(grey: np.ndarray, staff: Staff, space: float) -> np.ndarray:
    """A staff of a picture ((H, W) uint8, white paper) in the frame of `data_tools.scores.framing.placed`, but straight
    and upright, its lines `space` pixels apart from one end to the other.
    """
    course = Course.straight(staff)
    drawn = draw_along(grey, course, space)
    bent = follow(drawn, space, _MARGIN, 0.5 / staff.space)  # as `placed` has it: half a pixel low
    if bent is not None:
        further = course.moved(*bent)
        again = draw_along(grey, further, space)
        if clarity(again, space) > clarity(drawn, space):
            course, drawn = further, again
    slant = measure_slant(255 - drawn, space)
    return draw_along(grey, course, space, slant) if abs(slant) > _UPRIGHT else drawn


def draw_along(grey: np.ndarray, course: Course, space: float, slant: float = 0.0) -> np.ndarray:
    """The staff along its course, framed; upright strokes that lean by `slant` come out upright."""
    width = max(1, round((course.along[-1] + 2 * _MARGIN) * space))
    along = (np.arange(width) + 0.5) / space - _MARGIN
    below = (np.arange(round((FRAME_BELOW + FRAME_ABOVE) * space), dtype=np.float32) + 0.5) / space - FRAME_ABOVE
    return _sampled(grey, *course.locate(along, below[:, None], slant), space / float(np.median(course.space)))


def _sampled(grey: np.ndarray, x: np.ndarray, y: np.ndarray, zoom: float) -> np.ndarray:
    """The picture's levels at the points (whole numbers are corners of pixels), beyond it paper; `zoom` new pixels for
    each of its own: where they are fewer it is shrunk first, so that fine lines survive.
    """
    first, last = [], []
    for values, side in zip((x, y), grey.shape[::-1]):
        first.append(int(np.clip(values.min() - 2, 0, side - 1)))
        last.append(int(np.clip(values.max() + 3, first[-1] + 1, side)))
    part, factors = grey[first[1] : last[1], first[0] : last[0]], (1.0, 1.0)
    if zoom < 0.7:
        size = [max(1, round(side * zoom)) for side in part.shape[::-1]]
        factors = [new / side for new, side in zip(size, part.shape[::-1])]
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    places = [
        v * np.float32(factor) - np.float32(begin * factor + 0.5) for v, begin, factor in zip((x, y), first, factors)
    ]
    return cv2.remap(part, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=255)


def measure_slant(ink: np.ndarray, space: float) -> float:
    """By how many pixels to the right the upright strokes of a level staff lean for each upwards: where most of them,
    sheared upright, are as tall as stems and bar lines. `ink` (H, W) uint8 is dark on 0.
    """
    near = _tall_ink(ink, space, _SLANTS[_MIDDLE - 1 : _MIDDLE + 2])
    if near.argmax() == 1:
        return _peak(_SLANTS[_MIDDLE - 1 : _MIDDLE + 2], near)
    worth = _tall_ink(ink, space, _SLANTS)
    best = int(worth.argmax())
    around = slice(best - 1, best + 2)
    return _peak(_SLANTS[around], worth[around]) if 0 < best < len(_SLANTS) - 1 else 0.0


def _tall_ink(ink: np.ndarray, space: float, slants: np.ndarray) -> np.ndarray:
    """How much ink lasts over two staff spaces and more in the picture sheared by each slant."""
    height, width = ink.shape
    tall = np.ones((round(_TALL * space), 1), np.uint8)
    sheared = (
        cv2.warpAffine(ink, np.array([(1, slant, -slant * height / 2), (0, 1, 0)]), (width, height)) for slant in slants
    )
    return np.array([cv2.erode(picture, tall).sum(dtype=float) for picture in sheared])


def _peak(places: np.ndarray, values: np.ndarray) -> float:
    """Where a parabola through three values, of which the middle one is the greatest, has its top."""
    before, here, after = values
    bend = before - 2 * here + after
    return float(places[1] + 0.5 * (before - after) / bend * (places[1] - places[0])) if bend else 0.0
