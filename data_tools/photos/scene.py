"""A photograph of a street or a room: a background, surfaces with text on it, things that only look like text.

Surfaces never overlap, so that every word is seen; what stands before them (poles, branches) is laid over at the end,
and words it hides are marked as not legible.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

import cv2
import numpy as np

from data_tools.photos.backdrop import Backdrops, draw_colour
from data_tools.photos.block import Block, Setting, find_font, set_block
from data_tools.photos.interior import furnish
from data_tools.photos.recipe import Recipe
from data_tools.photos.sign import Panel, bend, blend, paint, scale, transform
from data_tools.sample import Region
from data_tools.words.fonts import FontIndex
from data_tools.words.wordlist import Writer

_CELL = 8
"""Pixels of the grid in which it is kept what is taken."""
_HIDDEN = 0.3
"""A word that is covered by more than this share is not legible."""
_LAYOUTS = ((1, 1), (1, 1), (1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (3, 2), (4, 3), (6, 3))
"""(lines, most words in each) of a sign."""


@dataclass(frozen=True)
class Tools:
    """What pictures are made with: fonts, words of signs, words of prose, backgrounds."""

    fonts: FontIndex
    writer: Writer
    prose: Writer
    backdrops: Backdrops
    recipe: Recipe


class Scene:
    """A picture on which signs are put one after the other: `picture` uint8 (h, w, 3) and `regions` so far."""

    def __init__(self, tools: Tools, random: Random):
        self.tools, self.random, self.recipe = tools, random, tools.recipe
        width, height = self.recipe.width, self.recipe.height
        self.picture = np.ascontiguousarray(tools.backdrops.draw(random, width, height))
        if random.random() < self.recipe.interior:
            furnish(self.picture, random)
        self.taken = np.zeros((-(-height // _CELL), -(-width // _CELL)), np.uint8)
        self.regions: list[Region] = []
        self.lines = 0

    def add_sign(self) -> None:
        """One surface with text where there is room; none where no place was found."""
        block = self._set_text()
        if not block.words:
            return
        random = self.random
        low, high = self.recipe.capitals
        capitals = low * (high / low) ** (random.random() ** 1.4)
        widest = 0.95 * self.recipe.width * 26 / max(1, block.mask.shape[1])
        capitals = min(capitals, max(low, widest))
        mask, outlines = scale(block, capitals, random.uniform(0.25, 0.9))
        if len({word.line for word in block.words}) == 1 and random.random() < self.recipe.curve:
            mask, outlines = bend(mask, outlines, random.uniform(0.4, 1.9) * random.choice((1, 1, -1)))
        homography = self._draw_place(*mask.shape[::-1])
        if homography is None:
            return
        ground = None if random.random() < self.recipe.board else self._colour_at(mask.shape, homography)
        panel = paint(mask, outlines, capitals, random, ground)
        found = panel.put(self.picture, homography)
        self._add_regions(block, found)

    def _set_text(self) -> Block:
        """A sign's words, set."""
        random, writer = self.random, self.tools.writer
        count, most = random.choice(_LAYOUTS)
        lines = [[writer.word(random) for _ in range(1 + int(random.random() * most))] for _ in range(count)]
        font = find_font(self.tools.fonts, random, [word for line in lines for word in line])
        if font is None:
            return Block(np.zeros((0, 0), np.uint8), ())
        return set_block(font, lines, random, self.recipe.lettering, Setting.draw(random))

    def _draw_place(self, width: int, height: int) -> np.ndarray | None:
        """A homography that lays a panel of that size where nothing is yet; None where none was found."""
        for _ in range(12):
            homography = self._draw_pose(width, height)
            corners = transform(np.float32([[0, 0], [width, 0], [width, height], [0, height]]), homography)
            low, high = corners.min(0), corners.max(0)
            span = np.array([self.recipe.width, self.recipe.height]) - (high - low)
            if (span < -0.1 * (high - low)).any():
                continue
            # A sign may stick out of the picture a little, as in photographs.
            slack = np.where(self.random.random() < 0.15, 0.25, 0.0) * (high - low)
            move = [self.random.uniform(-slack[k], max(span[k], 0) + slack[k]) - low[k] for k in (0, 1)]
            homography = np.array([[1, 0, move[0]], [0, 1, move[1]], [0, 0, 1]], np.float64) @ homography
            if self._take(corners + np.float32(move)):
                return homography
        return None

    def _draw_pose(self, width: int, height: int) -> np.ndarray:
        """How a panel is seen: turned, from the side, standing on its end."""
        random = self.random
        angle = math.radians(random.gauss(0, 3) * random.choice((0, 1, 1, 1, 5)))
        if random.random() < self.recipe.upright:
            angle += random.choice((-1, 1)) * math.pi / 2
        cos, sin = math.cos(angle), math.sin(angle)
        corners = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
        target = corners.copy()
        if random.random() < self.recipe.perspective:
            spread = min(height, width) * random.uniform(0.02, 0.3)
            target += np.float32([[random.uniform(-spread, spread) for _ in range(2)] for _ in range(4)])
            squeeze = random.uniform(0.6, 1.0)  # a front seen from along the street
            target[:, 0] *= squeeze
        target = target @ np.float32([[cos, sin], [-sin, cos]])
        return cv2.getPerspectiveTransform(corners, np.float32(target))

    def _take(self, corners: np.ndarray) -> bool:
        """Marks the cells of a quadrilateral as taken, unless one of them is."""
        wanted = np.zeros_like(self.taken)
        cv2.fillConvexPoly(wanted, np.round(corners / _CELL).astype(np.int32), 1)
        if not wanted.any() or (wanted & self.taken).any():
            return False
        self.taken |= wanted
        return True

    def _colour_at(self, shape: tuple[int, int], homography: np.ndarray) -> tuple[float, ...]:
        """The mean colour of the picture where a panel comes to lie."""
        height, width = shape
        corners = transform(np.float32([[0, 0], [width, 0], [width, height], [0, height]]), homography)
        left, top = np.maximum(corners.min(0).astype(int), 0)
        right, bottom = corners.max(0).astype(int) + 1
        piece = self.picture[top:bottom:3, left:right:3]
        return tuple(piece.reshape(-1, 3).mean(0).tolist()) if piece.size else (128.0,) * 3

    def _add_regions(self, block: Block, outlines: list[np.ndarray]) -> None:
        high = np.float32([self.recipe.width, self.recipe.height])
        for word, outline in zip(block.words, outlines):
            inside = np.clip(outline, 0, high)
            if (np.ptp(inside, axis=0) < 1).any():
                continue  # outside of the picture
            whole = float(np.abs(inside - outline).max()) < 0.25 * _height_of(outline)
            legible = whole and _height_of(outline) >= self.recipe.legible
            self.regions.append(Region(np.float32(inside), word.text, legible, self.lines + word.line))
        self.lines += 1 + block.words[-1].line

    def add_clutter(self) -> None:
        """One thing that looks like text and is none."""
        random, side = self.random, round(14 * 14 ** self.random.random())
        width = round(side * random.uniform(0.6, 5))
        if width >= self.recipe.width or side >= self.recipe.height:
            return
        homography = self._draw_place(width, side)
        if homography is not None:
            pixels = np.empty((side, width, 3), np.uint8)
            pixels[:] = np.asarray(draw_colour(random), np.uint8)
            alpha = random.choice((_bars, _grid, _strokes, _dots, _arrow))(random, width, side)
            Panel(pixels, alpha, ()).put(self.picture, homography)

    def occlude(self) -> None:
        """A pole, a wire or a branch before everything; words that it hides are not legible any more."""
        random, (height, width) = self.random, self.picture.shape[:2]
        mask = np.zeros((height, width), np.uint8)
        thick = max(1, round(width * random.choice((0.004, 0.01, 0.03))))
        for _ in range(random.randrange(1, 4)):
            at, to = random.uniform(0, width), random.gauss(0, 0.5) * height
            start, end = round(at), round(at + to)
            ends = ((start, 0), (end, height)) if random.random() < 0.7 else ((0, start), (width, end))
            cv2.line(mask, *ends, 255, thick, cv2.LINE_AA)
        blend(self.picture, draw_colour(random), mask)
        self.regions = [_hide(region, mask) for region in self.regions]


def _height_of(outline: np.ndarray) -> float:
    """The height of a word: the mean length of the outline's two ends."""
    half = len(outline) // 2
    ends = outline[[0, half - 1]] - outline[[-1, half]]
    return float(np.linalg.norm(ends, axis=1).mean())


def _hide(region: Region, mask: np.ndarray) -> Region:
    left, top = region.polygon.min(0).astype(int)
    right, bottom = np.ceil(region.polygon.max(0)).astype(int)
    inside = np.zeros((max(1, bottom - top), max(1, right - left)), np.uint8)
    cv2.fillPoly(inside, [np.round(region.polygon - (left, top)).astype(np.int32)], 1)
    covered = mask[top:bottom, left:right] > 127
    inside = inside[: covered.shape[0], : covered.shape[1]]
    if not inside.any() or (covered & (inside > 0)).sum() <= _HIDDEN * inside.sum():
        return region
    return Region(region.polygon, region.text, False, region.line)


def _bars(random: Random, width: int, height: int) -> np.ndarray:
    """A bar code, a radiator, railings."""
    bars = np.array([random.random() < 0.5 for _ in range(max(2, width // random.choice((2, 3, 6))))], np.uint8) * 255
    return np.ascontiguousarray(cv2.resize(bars[None], (width, height), interpolation=cv2.INTER_NEAREST))


def _grid(random: Random, width: int, height: int) -> np.ndarray:
    """Windows, tiles, a keyboard."""
    mask, step = np.zeros((height, width), np.uint8), max(4, round(height * random.uniform(0.15, 0.5)))
    gap = max(1, step // random.choice((3, 5, 8)))
    for top in range(0, height, step):
        for left in range(0, width, step):
            cv2.rectangle(mask, (left, top), (left + step - gap - 1, top + step - gap - 1), 255, random.choice((-1, 1)))
    return mask


def _strokes(random: Random, width: int, height: int) -> np.ndarray:
    """Scribbles, twigs, cracks: strokes of all directions without any order."""
    mask = np.zeros((height, width), np.uint8)
    for _ in range(random.randrange(4, 14)):
        points = [(random.randrange(width), random.randrange(height)) for _ in range(random.randrange(2, 5))]
        cv2.polylines(mask, [np.array(points, np.int32)], False, 255, max(1, height // 16), cv2.LINE_AA)
    return mask


def _dots(random: Random, width: int, height: int) -> np.ndarray:
    """Leaves, pebbles, lamps."""
    mask = np.zeros((height, width), np.uint8)
    for _ in range(random.randrange(5, 40)):
        axes = (max(1, round(height * random.uniform(0.03, 0.15))), max(1, round(height * random.uniform(0.03, 0.2))))
        centre = (random.randrange(width), random.randrange(height))
        cv2.ellipse(mask, centre, axes, random.uniform(0, 180), 0, 360, 255, -1, cv2.LINE_AA)
    return mask


def _arrow(random: Random, width: int, height: int) -> np.ndarray:
    """An arrow, a circle or a crossed circle, as on signs."""
    mask, middle = np.zeros((height, width), np.uint8), (width // 2, height // 2)
    thick, radius = max(1, height // 8), max(2, min(width, height) // 2 - height // 8)
    if random.random() < 0.5:
        cv2.arrowedLine(mask, (thick, middle[1]), (width - thick, middle[1]), 255, thick, cv2.LINE_AA, 0, 0.4)
    else:
        cv2.circle(mask, middle, radius, 255, thick, cv2.LINE_AA)
        if random.random() < 0.5:
            reach = int(radius * 0.7)
            cv2.line(mask, (middle[0] - reach, middle[1] - reach), (middle[0] + reach, middle[1] + reach), 255, thick)
    return mask


def draw_scene(tools: Tools, random: Random) -> tuple[np.ndarray, list[Region]]:
    """A scene before the camera: uint8 (h, w, 3), and its regions, sign after sign from top to bottom."""
    scene, recipe = Scene(tools, random), tools.recipe
    low, high = recipe.signs
    for _ in range(random.randint(low, high)):
        scene.add_sign()
    for _ in range(random.randrange(0, 6) if random.random() < recipe.clutter else 0):
        scene.add_clutter()
    if random.random() < recipe.occlusion:
        scene.occlude()
    return scene.picture, scene.regions
