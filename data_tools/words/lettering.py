"""Letters set on a line, and the line bent, turned and seen from the side.

A line is drawn once as a grey mask at the glyphs' own size; one transform (Pillow) then does shear, rotation,
perspective and a bent base line together, as MJSynth's projective distortion does (Jaderberg et al. 2014, section 2),
and the crop is found from what the transform left of the word itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from random import Random

import numpy as np
from PIL import Image

from data_tools.effects import grid_mesh
from data_tools.words.fonts import CAPITAL_HEIGHT, Font
from data_tools.words.recipe import Recipe

Matrix = tuple[tuple[float, float, float], ...]
"""A homography, three rows of three."""
FLAT = 1.5
"""Radians: an arc up to here is bent in upright strips, and is as far as signs are bent by `curve`."""


@dataclass(frozen=True)
class Line:
    """A set line: `mask` (h, w) uint8 and the row of its base line."""

    mask: np.ndarray
    baseline: int


def set_line(font: Font, text: str, random: Random, recipe: Recipe) -> Line:
    """Draws `text`, letters spaced, jittered or enlarged as the recipe has it."""
    strength = recipe.strength
    tracking = 0.0
    if random.random() < recipe.tracking * strength:
        tracking = CAPITAL_HEIGHT * (random.uniform(-0.1, 0.1) if random.random() < 0.6 else random.uniform(0.1, 0.9))
    larger = random.random() < recipe.first_larger * strength and text.isupper() and len(text) > 2
    jitter = CAPITAL_HEIGHT * random.uniform(0.03, 0.14) if random.random() < recipe.jitter * strength else 0.0
    simple = all(ord(character) < 0x250 for character in text)
    plain = tracking == 0 and not larger and jitter == 0
    if not simple or (plain and random.random() < recipe.shaped):
        return Line(*font.run(text))
    return set_letters(font, text, random, tracking, jitter, larger)


def set_letters(
    font: Font, text: str, random: Random, tracking: float, jitter: float = 0.0, larger: bool = False
) -> Line:
    """Letter after letter, `tracking` pixels added to each advance, off the line by `jitter` pixels; with `larger` the
    first capital before small ones.
    """
    pen, placed, small = 0.0, [], random.uniform(0.62, 0.85)
    full, raised = _full_size(len(text), small, random) if larger else (range(0), 0.0)
    for position, character in enumerate(text):
        glyph = font.glyph(character)
        mask, left, top, advance = glyph.mask, glyph.left, glyph.top, glyph.advance
        if larger and position not in full and mask.size:
            mask, left, top, advance = _shrunk(mask, left, top, advance, small)
            top -= raised
        shift = random.gauss(0, jitter) if jitter else 0.0
        if mask.size:
            placed.append((mask, round(pen + left), round(top + shift)))
        pen += max(advance + tracking, 0.35 * advance)
    return paste(placed)


def _full_size(count: int, small: float, random: Random) -> tuple[tuple[int, ...], float]:
    """Which of `count` capitals keep their size before small ones, and by how many pixels the small ones are raised."""
    full = (0, count - 1) if random.random() < 0.15 else (0,)
    hanging = random.choice((0.0, 0.0, 0.0, 0.5, 1.0))  # the large letter's foot below the others', as in old signs
    return full, CAPITAL_HEIGHT * (1 - small) * hanging


def _shrunk(mask: np.ndarray, left: float, top: float, advance: float, by: float):
    height, width = mask.shape
    small = Image.fromarray(mask).resize(
        (max(1, round(width * by)), max(1, round(height * by))), Image.Resampling.BILINEAR
    )
    return np.asarray(small), left * by, top * by, advance * by


def paste(placed: list[tuple[np.ndarray, int, int]]) -> Line:
    """Masks at (left, top), the base line at 0, as one line."""
    left = min(x for _, x, _ in placed)
    top = min(y for _, _, y in placed)
    right = max(x + mask.shape[1] for mask, x, _ in placed)
    bottom = max(y + mask.shape[0] for mask, _, y in placed)
    canvas = np.zeros((bottom - top, right - left), np.uint8)
    for mask, x, y in placed:
        place = canvas[y - top : y - top + mask.shape[0], x - left : x - left + mask.shape[1]]
        np.maximum(place, mask, out=place)
    return Line(canvas, -top)


def join(lines: list[tuple[Line, int, int]]) -> tuple[np.ndarray, np.ndarray | None]:
    """Puts neighbours around the first line: (word alone, word and what is near it, or None), both (h, w) uint8.

    Each line comes with the place of its left end and base line from those of the first, in pixels.
    """
    if len(lines) == 1:
        return lines[0][0].mask, None
    everything = paste([(line.mask, x, y - line.baseline) for line, x, y in lines])
    alone = np.zeros_like(everything.mask)
    word, x, y = lines[0]
    left = min(x for _, x, _ in lines)
    top = y - word.baseline + everything.baseline
    bottom, start, end = top + word.mask.shape[0], x - left, x - left + word.mask.shape[1]
    alone[top:bottom, start:end] = word.mask
    reach = round(1.2 * CAPITAL_HEIGHT)  # what lies further off would be cut away in the end
    near = np.s_[max(top - reach, 0) : bottom + reach, max(start - reach, 0) : end + reach]
    return alone[near], everything.mask[near]


@dataclass(frozen=True)
class Pose:
    """How a line is seen: stretch, shear, radians of rotation, shifts of the corners, arc and wave of the base line."""

    stretch: float
    shear: float
    angle: float
    corners: tuple[float, ...]  # eight shifts as shares of the height
    arc: float  # radians that the word spans; its sign says whether it opens down or up
    wave: float  # amplitude as a share of the height
    phase: float

    @classmethod
    def draw(cls, random: Random, recipe: Recipe, badge: bool = False) -> Pose:
        """A pose as the recipe's chances have it; on a `badge` the word follows its rim."""
        strength = recipe.strength
        stretch = math.exp(random.gauss(0, recipe.width / 3 * strength)) if random.random() < 0.8 else 1.0
        shear = random.gauss(0, 0.25) if random.random() < recipe.slant * strength else 0.0
        scale = 3 if random.random() < 0.12 else 1 if random.random() < 0.7 else 0
        angle = math.radians(random.gauss(0, recipe.rotation)) * scale * strength
        corners = (0.0,) * 8
        if random.random() < recipe.perspective * strength:
            corners = _draw_recession(random) if random.random() < 0.25 else _draw_displacement(random)
        arc = wave = 0.0
        if random.random() < recipe.curve * strength:
            if random.random() < 0.65:
                arc = random.uniform(0.25, 1.5) * random.choice((1, 1, -1))
            else:
                wave = random.uniform(0.05, 0.22)
        drawn = cls(stretch, shear, angle, corners, arc, wave, random.uniform(0, 2 * math.pi))
        return drawn._irregular(random, recipe, badge)

    def _irregular(self, random: Random, recipe: Recipe, badge: bool) -> Pose:
        """Bent or turned away further than signs usually are; nothing is drawn where a recipe has none of it."""
        pose, strength = self, recipe.strength
        if badge or (recipe.half_circle and random.random() < recipe.half_circle * strength):
            arc = random.uniform(FLAT, math.pi) * random.choice((1, 1, -1))
            pose = replace(pose, arc=arc, wave=0.0)
        elif recipe.waves and random.random() < recipe.waves * strength:
            pose = replace(pose, arc=0.0, wave=random.uniform(0.25, 0.5))
        if recipe.receding and random.random() < recipe.receding * strength:
            pose = replace(pose, corners=_draw_recession(random, (0.25, 0.45), (0.15, 0.35)))
        return pose

    def _for(self, width: float, height: float) -> Pose:
        """The pose for a line of this size: a short word is bent less, its circle would be smaller than its letters."""
        most = max(FLAT, 1.3 * width / height)
        return self if abs(self.arc) <= most else replace(self, arc=math.copysign(most, self.arc))

    def warp(self, masks: list[np.ndarray]) -> list[Image.Image]:
        """The masks (h, w) uint8 as seen: grey pictures, all of one size."""
        height, width = masks[0].shape
        return self._for(width, height)._warp(masks, width, height)

    def _warp(self, masks: list[np.ndarray], width: int, height: int) -> list[Image.Image]:
        forward = self._plane(width, height)
        (x, right), (y, bottom) = self._seen(forward, width, height)
        low, size = (x - 2, y - 2), (max(4, math.ceil(right - x + 4)), max(4, math.ceil(bottom - y + 4)))
        method, data = self._pillow_transform(_inverse(forward), low, size, width, height)
        return [Image.fromarray(mask).transform(size, method, data, Image.Resampling.BILINEAR) for mask in masks]

    def _seen(self, forward: Matrix, width: float, height: float) -> tuple[tuple[float, float], tuple[float, float]]:
        """From where to where the line reaches across and down."""
        if self.arc or self.wave:
            x, y = _apply(forward, self._bend_forward(_SEVENTHS * (width, height), width, height)).T
        else:
            (a, b, c), (d, e, f), (g, h, i) = forward
            corners = ((0, 0), (width, 0), (0, height), (width, height))
            x, y = zip(*(((a * u + b * v + c) / (z := g * u + h * v + i), (d * u + e * v + f) / z) for u, v in corners))
        return (float(min(x)), float(max(x))), (float(min(y)), float(max(y)))

    def _pillow_transform(self, back: Matrix, low: tuple[float, float], size, width: float, height: float):
        """Pillow's method and its data, from the picture's pixels back to the flat line's."""
        if self.arc or self.wave:
            return Image.Transform.MESH, self._mesh(back, low, size, width, height)
        (a, b, c), (d, e, f), (g, h, i) = back
        x, y = low
        c, f, i = a * x + b * y + c, d * x + e * y + f, g * x + h * y + i
        if not any(self.corners):
            return Image.Transform.AFFINE, (a / i, b / i, c / i, d / i, e / i, f / i)
        return Image.Transform.PERSPECTIVE, tuple(value / i for value in (a, b, c, d, e, f, g, h))

    def _plane(self, width: float, height: float) -> Matrix:
        """The homography from the flat line's pixels to the picture's."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        a, b, c, d = cos * self.stretch, -cos * self.shear - sin, sin * self.stretch, cos - sin * self.shear
        if not any(self.corners):
            return (a, b, 0.0), (c, d, 0.0), (0.0, 0.0, 1.0)
        unit = min(height, width)
        shifts = [shift * unit for shift in self.corners]
        source = ((0, 0), (width, 0), (width, height), (0, height))
        target = [(x + shifts[2 * n], y + shifts[2 * n + 1]) for n, (x, y) in enumerate(source)]
        target = [(a * x + b * y, c * x + d * y) for x, y in target]
        return _from_rectangle(width, height, target)

    def _bend_forward(self, points: np.ndarray, width: float, height: float) -> np.ndarray:
        if self.arc:
            radius = width / abs(self.arc)
            sign = math.copysign(1, self.arc)
            theta = (points[:, 0] - width / 2) / radius
            r = radius - sign * (points[:, 1] - height / 2)
            return np.stack([width / 2 + r * np.sin(theta), height / 2 + sign * (radius - r * np.cos(theta))], axis=1)
        if self.wave:
            return points + np.stack([np.zeros(len(points)), self._wave(points[:, 0], width, height)], axis=1)
        return points

    def _bend_back(self, points: np.ndarray, width: float, height: float) -> np.ndarray:
        if self.arc:
            radius = width / abs(self.arc)
            sign = math.copysign(1, self.arc)
            across, down = points[:, 0] - width / 2, radius - sign * (points[:, 1] - height / 2)
            theta, r = np.arctan2(across, down), np.hypot(across, down)
            return np.stack([width / 2 + theta * radius, height / 2 + sign * (radius - r)], axis=1)
        if self.wave:
            return points - np.stack([np.zeros(len(points)), self._wave(points[:, 0], width, height)], axis=1)
        return points

    def _wave(self, x: np.ndarray, width: float, height: float) -> np.ndarray:
        return self.wave * height * np.sin(x * (2 * math.pi / max(width, 2 * height)) + self.phase)

    def _mesh(self, back: Matrix, low: tuple[float, float], size: tuple[int, int], width: float, height: float):
        """Pillow's mesh: upright strips of the picture with the four corners each has on the flat line; squares where a
        strip would cross too much of a circle.
        """
        circular = abs(self.arc) > FLAT
        strips, rows = min(31 if circular else 11, size[0]), min(15, size[1]) if circular else 1
        edges = (np.arange(strips + 1) * (size[0] / strips)).round()
        levels = (np.arange(rows + 1) * (size[1] / rows)).round()
        ends = [np.stack([edges, np.full(len(edges), y)], axis=1) + low for y in levels]
        flat = [self._bend_back(_apply(back, end), width, height) for end in ends]
        return grid_mesh(edges, levels, np.stack(flat))


def _draw_displacement(random: Random) -> tuple[float, ...]:
    """Each corner moved a little on its own."""
    spread = random.uniform(0.03, 0.22)
    return tuple(random.uniform(-spread, spread) for _ in range(8))


def _draw_recession(random: Random, tops: tuple = (0.05, 0.35), feet: tuple = (-0.1, 0.2)) -> tuple[float, ...]:
    """One end of the word further off, as on a front seen from along the street, so less high; by shares of the height
    between the two of `tops` and of `feet`.
    """
    top, foot = random.uniform(*tops), random.uniform(*feet)
    ends = (0.0, top, 0.0, -foot)  # of the upper and the lower corner of that end
    return (0.0, 0.0, *ends, 0.0, 0.0) if random.random() < 0.5 else (*ends[:2], 0.0, 0.0, 0.0, 0.0, *ends[2:])


_SEVENTHS = np.array([[n / 6, side] for side in (0, 1) for n in range(7)])


def _apply(homography: Matrix, points: np.ndarray) -> np.ndarray:
    (a, b, c), (d, e, f), (g, h, i) = homography
    x, y = points[:, 0], points[:, 1]
    depth = g * x + h * y + i
    return np.stack([(a * x + b * y + c) / depth, (d * x + e * y + f) / depth], axis=1)


def _inverse(matrix: Matrix) -> Matrix:
    """The inverse up to scale, by its minors: for nine numbers a library call would only start threads."""
    (a, b, c), (d, e, f), (g, h, i) = matrix
    return (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )


def _from_rectangle(width: float, height: float, target: list[tuple[float, float]]) -> Matrix:
    """The projective map from a rectangle to four corners, clockwise from the top left (Heckbert 1989)."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = target
    dx1, dx2, dx3 = x1 - x2, x3 - x2, x0 - x1 + x2 - x3
    dy1, dy2, dy3 = y1 - y2, y3 - y2, y0 - y1 + y2 - y3
    area = dx1 * dy2 - dx2 * dy1
    g, h = (dx3 * dy2 - dx2 * dy3) / area, (dx1 * dy3 - dx3 * dy1) / area
    return (
        ((x1 - x0 + g * x1) / width, (x3 - x0 + h * x3) / height, x0),
        ((y1 - y0 + g * y1) / width, (y3 - y0 + h * y3) / height, y0),
        (g / width, h / height, 1.0),
    )


_CLIPPED = (0, 0, 1, 2, 2, 3)  # the side that is cut: an end of the word twice as often as its top or foot


def crop_box(word: Image.Image, random: Random, recipe: Recipe) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the picture around the ink of `word`: tight, loose, off centre or clipped."""
    left, top, right, bottom = word.getbbox() or (0, 0, *word.size)
    unit = min(bottom - top, 1.5 * CAPITAL_HEIGHT)
    if random.random() < recipe.crop_tight:
        margins = [random.uniform(-0.02, 0.09) for _ in range(4)]
    elif random.random() < 0.7:
        margins = [random.uniform(0.03, 0.30) for _ in range(4)]
    else:
        margins = [random.uniform(0.0, 0.55) for _ in range(4)]
    if random.random() < recipe.crop_clipped * recipe.strength:
        margins[random.choice(_CLIPPED)] = -random.uniform(0.02, 0.15)
    box = [left - margins[0] * unit, top - margins[1] * unit, right + margins[2] * unit, bottom + margins[3] * unit]
    left, top, right, bottom = map(round, box)
    return left, top, max(right, left + 4), max(bottom, top + 6)
