"""A flat surface with text: `paint` makes a `Panel`, `Panel.put` lays it on a picture as it is seen from somewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import cv2
import numpy as np

from data_tools.photos.backdrop import Colour, draw_colour, draw_texture
from data_tools.photos.block import Block
from data_tools.words.face import shift, thicken
from data_tools.words.fonts import CAPITAL_HEIGHT

LEAST_CONTRAST = 50
"""Levels between letters and ground, as the eye weighs the colours."""
_LOOSE = 0.08
"""How far a word's outline lies from its ink, in heights of capitals: people draw outlines like that."""


@dataclass(frozen=True)
class Panel:
    """A painted surface: `pixels` uint8 (h, w, 3), how much they cover, `alpha` uint8 (h, w), and the outlines of its
    words, float32 (P, 2) each, from the top left as read.
    """

    pixels: np.ndarray
    alpha: np.ndarray
    outlines: tuple[np.ndarray, ...]

    def put(self, picture: np.ndarray, homography: np.ndarray) -> list[np.ndarray]:
        """Lays the panel on `picture` uint8 (H, W, 3), in place; returns the outlines there, (P, 2) each."""
        height, width = self.alpha.shape
        seen = transform(np.float32([[0, 0], [width, 0], [width, height], [0, height]]), homography)
        low = np.maximum(np.floor(seen.min(0)).astype(int) - 1, 0)
        high = np.minimum(np.ceil(seen.max(0)).astype(int) + 1, picture.shape[1::-1])
        if (high > low).all():
            size = tuple(int(side) for side in high - low)
            local = np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1]], np.float64) @ homography
            pixels = cv2.warpPerspective(self.pixels, local, size, borderMode=cv2.BORDER_REPLICATE)
            alpha = cv2.warpPerspective(self.alpha, local, size)
            blend(picture[low[1] : high[1], low[0] : high[0]], pixels, alpha)
        return [transform(outline, homography) for outline in self.outlines]


def transform(points: np.ndarray, homography: np.ndarray) -> np.ndarray:
    """Points (P, 2) seen through a homography (3, 3): float32 (P, 2)."""
    return cv2.perspectiveTransform(np.float32(points)[None], homography)[0]


def blend(place: np.ndarray, pixels: np.ndarray | Colour, alpha: np.ndarray) -> None:
    """`pixels` (h, w, 3), or one colour, over `place` uint8 (h, w, 3), as far as `alpha` uint8 (h, w) covers."""
    share = alpha.astype(np.float32)[:, :, None] * (1 / 255)
    values = place.astype(np.float32)
    values += (np.asarray(pixels, np.float32) - values) * share
    place[:] = (values + 0.5).astype(np.uint8)


def luminance(colour: Colour | np.ndarray) -> float:
    """How light a colour is, 0-255."""
    return float(np.dot(np.asarray(colour, np.float64), (0.299, 0.587, 0.114)))


def draw_contrasting(random: Random, ground: float) -> Colour:
    """A colour that can be told from a ground of luminance `ground`."""
    gap = LEAST_CONTRAST + 150 * random.random() ** 1.3
    sides = [level for level in (ground - gap, ground + gap) if 0 <= level <= 255]
    level = random.choice(sides) if sides else (15.0 if ground > 127 else 240.0)
    for _ in range(6):
        colour = draw_colour(random, level)
        if abs(luminance(colour) - ground) >= LEAST_CONTRAST:
            return colour
    return (level,) * 3


def scale(block: Block, capitals: float, margin: float) -> tuple[np.ndarray, list[np.ndarray]]:
    """The block with capitals of that many pixels, and `margin` heights of capitals around it: mask uint8 (h, w) and
    the words' outlines (4, 2).
    """
    factor = capitals / CAPITAL_HEIGHT
    height, width = (max(2, round(side * factor)) for side in block.mask.shape)
    if factor < 1:
        mask = cv2.resize(block.mask, (width, height), interpolation=cv2.INTER_AREA)
    else:  # enlarged edges are soft: made as steep again as they were
        soft = cv2.resize(block.mask, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)
        mask = np.clip((soft - 127.5) * min(factor, 4) + 127.5, 0, 255).astype(np.uint8)
    edge = max(2, round(margin * capitals))
    mask = cv2.copyMakeBorder(mask, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=0)
    factors = np.array([width / block.mask.shape[1], height / block.mask.shape[0]])
    loose = _LOOSE * capitals
    outlines = []
    for word in block.words:
        (left, top), (right, bottom) = np.reshape(word.box, (2, 2)) * factors + edge
        left, top, right, bottom = left - loose, top - loose, right + loose, bottom + loose
        outlines.append(np.float32([[left, top], [right, top], [right, bottom], [left, bottom]]))
    return mask, outlines


def bend(mask: np.ndarray, outlines: Sequence[np.ndarray], arc: float) -> tuple[np.ndarray, list[np.ndarray]]:
    """A flat line bent to `arc` radians, its middle up (or down, where it is negative): mask and outlines of 8 points,
    the upper edge from left to right, then the lower one back.
    """
    height, width = mask.shape
    radius, sign = width / abs(arc), math.copysign(1, arc)
    drop = radius * (1 - math.cos(abs(arc) / 2)) + height * 0.5
    rows, columns = math.ceil(height + drop), math.ceil(width + height)
    base = height / 2 + (0 if sign > 0 else rows - height)  # the row of the bent middle at its highest or lowest

    def forward(points: np.ndarray) -> np.ndarray:
        theta, r = (points[:, 0] - width / 2) / radius, radius - sign * (points[:, 1] - height / 2)
        return np.stack([columns / 2 + r * np.sin(theta), base + sign * (radius - r * np.cos(theta))], axis=1)

    x = np.arange(columns, dtype=np.float32)[None] - columns / 2
    away = radius - sign * (np.arange(rows, dtype=np.float32)[:, None] - base)
    back_x = np.arctan2(x, away) * radius + width / 2
    back_y = height / 2 + sign * (radius - np.hypot(x, away))
    bent = cv2.remap(mask, back_x.astype(np.float32), back_y.astype(np.float32), cv2.INTER_LINEAR)
    shares = np.linspace(0, 1, 4)[:, None]
    edges = [np.concatenate([a + (b - a) * shares, c + (d - c) * shares]) for a, b, c, d in outlines]
    return bent, [np.float32(forward(points)) for points in edges]


def paint(
    mask: np.ndarray, outlines: Sequence[np.ndarray], capitals: float, random: Random, ground: Colour | None
) -> Panel:
    """Letters on a board of their own, or without one where `ground`, the colour that is behind them, is given."""
    height, width = mask.shape
    if ground is None:
        behind = draw_colour(random)
        pixels = draw_texture(random, width, height, behind, random.choice((0, 2, 8, 20)))
        alpha = np.full((height, width), 255, np.uint8)
        if random.random() < 0.35:
            _frame(pixels, random, capitals)
        light = luminance(pixels.reshape(-1, 3).mean(0))
    else:
        light = luminance(ground)
        pixels = np.empty((height, width, 3), np.uint8)
        pixels[:] = np.asarray(ground, np.uint8)
        alpha = np.zeros((height, width), np.uint8)
    fore = draw_contrasting(random, light)
    for covered, colour in _layers(mask, capitals, fore, light, random):
        blend(pixels, colour, covered)
        np.maximum(alpha, covered, out=alpha)
    return Panel(pixels, alpha, tuple(outlines))


def _layers(mask: np.ndarray, capitals: float, fore: Colour, ground: float, random: Random) -> list[tuple]:
    """What is painted one over the other, (coverage, colours): shadow, extrusion or border, then the letters."""
    under, unit = random.random(), max(1.0, capitals / 14)
    layers: list[tuple] = []
    if under < 0.14:
        away = (round(random.gauss(0, 1.5) * unit), round(random.gauss(1, 1) * unit))
        shade = cv2.GaussianBlur(shift(mask, *away), (0, 0), random.uniform(0.4, 1.5) * unit)
        layers.append(((shade * random.uniform(0.4, 0.9)).astype(np.uint8), draw_colour(random, random.uniform(0, 60))))
    elif under < 0.24:
        solid, angle = mask, random.uniform(0, 2 * math.pi)
        for step in range(1, round(random.uniform(1, 4) * unit) + 1):
            solid = np.maximum(solid, shift(mask, round(step * math.cos(angle)), round(step * math.sin(angle))))
        layers.append((solid, draw_contrasting(random, luminance(fore))))
    elif under < 0.36:
        layers.append(
            (thicken(mask, max(1, round(random.uniform(0.5, 1.6) * unit))), draw_contrasting(random, luminance(fore)))
        )
    if random.random() < 0.04 and capitals > 16:
        edge = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
        return [*layers, (edge, fore)]
    if random.random() < 0.12:
        slope = np.linspace(-1, 1, mask.shape[0], dtype=np.float32)[:, None, None] * random.uniform(-45, 45)
        return [*layers, (mask, np.clip(np.asarray(fore, np.float32) + slope, 0, 255))]
    return [*layers, (mask, fore)]


def _frame(pixels: np.ndarray, random: Random, capitals: float) -> None:
    """A line along the edges of a board."""
    height, width = pixels.shape[:2]
    inset, thick = round(capitals * random.uniform(0, 0.15)), max(1, round(capitals * random.uniform(0.04, 0.15)))
    cv2.rectangle(pixels, (inset, inset), (width - 1 - inset, height - 1 - inset), draw_colour(random), thick)
