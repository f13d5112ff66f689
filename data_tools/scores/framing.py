"""A staff of a picture brought into the frame that a model reads: level, of one size, always in the same place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from data_tools.images import to_channels
from data_tools.scores.camera import Bent
from data_tools.scores.engraving import FRAME_ABOVE, FRAME_BELOW
from data_tools.scores.levelling import levelled


@dataclass(frozen=True)
class Staff:
    """A staff in a picture: the lowest line at `y` + `slope`·x, lines `space` pixels apart, from `left` to `right`."""

    y: float
    slope: float
    space: float
    left: float
    right: float

    @classmethod
    def bent(cls, bent: Bent, lines: tuple[float, float], left: float, right: float) -> Staff:
        """Of a bent picture: its highest and lowest line were level at the heights `lines`, from `left` to `right`."""
        high, low = (bent.line(row) for row in lines)
        left, right = bent.columns(float(low.mean() + high.mean()) / 2, left, right)
        inside = (bent.x >= left) & (bent.x <= right)
        inside = inside if inside.sum() > 1 else np.ones_like(inside)
        slope, y = np.polyfit(bent.x[inside], low[inside], 1)
        return cls(float(y) - 0.5, float(slope), float((low - high)[inside].mean()) / 4, left, right)

    def nearly(self, rng: np.random.Generator, far: float = 1.0) -> Staff:
        """The staff as a finder might say it, which is off by a little; `far` 1 as in photographs."""
        shift, stretch, tilt, left, right = far * rng.standard_normal(5).clip(-2.5, 2.5)
        slope = 0.25 * tilt * self.space / max(self.right - self.left, 8 * self.space)
        y = self.y + 0.08 * shift * self.space - slope * (self.left + self.right) / 2
        ends = (self.left + 0.3 * left * self.space, self.right + 0.3 * right * self.space)
        return Staff(y, self.slope + slope, self.space * (1 + 0.008 * stretch), *ends)


def frame(image: Image.Image, staff: Staff, staff_space: float, margin: float = 0.6) -> Image.Image:
    """The staff level, lines `staff_space` pixels apart, where `engraving`'s frame "staff" has it (mode L).

    Paper is white and ink black, whatever the light was. `margin` staff spaces are kept left and right of the lines;
    what lies outside the picture is paper.
    """
    return placed(levelled(to_channels(image, 1)), staff, staff_space, margin)


def placed(grey: Image.Image, staff: Staff, staff_space: float, margin: float = 0.6) -> Image.Image:
    """`frame` for a grey picture whose paper is white already."""
    left, right = staff.left - margin * staff.space, staff.right + margin * staff.space
    zoom = staff_space / staff.space
    width = max(1, round((right - left) * zoom))
    height = round((FRAME_BELOW + FRAME_ABOVE) * staff_space)
    if zoom < 0.7:  # shrink first, so that fine lines survive
        size = (max(1, round(grey.width * zoom)), max(1, round(grey.height * zoom)))
        factors = (size[0] / grey.width, size[1] / grey.height)
        grey = grey.resize(size, Image.Resampling.BOX)
    else:
        factors = (1.0, 1.0)
    # A point (u, v) of the frame comes from x = left + u/zoom, y = lowest line there + (v - its place)/zoom.
    step_x, step_y = factors[0] / zoom, factors[1] / zoom
    top = staff.y + staff.slope * left - FRAME_ABOVE * staff.space
    lean = staff.slope * step_y
    matrix = (step_x, -staff.slope * step_x, left * factors[0], lean, step_y, top * factors[1])
    edge = 8
    grey = ImageOps.expand(grey, edge, 255)
    moved = (*matrix[:2], matrix[2] + edge, *matrix[3:5], matrix[5] + edge)
    return grey.transform((width, height), Image.Transform.AFFINE, moved, Image.Resampling.BILINEAR, fillcolor=255)
