"""What fills rooms and streets and is no text: shelves of goods, lamps, people, railings, tiles, panes of glass.

Detectors that never saw such things find text in all of them. Pictures are uint8 (h, w, 3), drawn on in place; what is
drawn stands behind the signs.
"""

from __future__ import annotations

import math
from random import Random

import cv2
import numpy as np

from data_tools.photos.backdrop import Colour, draw_colour, draw_texture


def furnish(picture: np.ndarray, random: Random) -> None:
    """Three to nine such things."""
    for _ in range(random.randrange(3, 10)):
        random.choice(_THINGS)(picture, random)


def add_shelves(picture: np.ndarray, random: Random) -> None:
    """Rows of goods that repeat, each with a band and a patch of other colours, seen from anywhere."""
    rows, high = random.randrange(1, 6), random.randrange(24, 90)
    wide = random.randrange(160, 560)
    front = draw_texture(random, wide, rows * high, draw_colour(random, random.uniform(20, 200)), 6)
    for row in range(rows):
        base, x = (row + 1) * high - random.randrange(2, 6), 0
        while x < wide:
            x += _add_goods(front, random, x, base, high)
        cv2.line(front, (0, base + 1), (wide, base + 1), draw_colour(random), random.randrange(1, 6))
    _lay(picture, front, random)


def _add_goods(front: np.ndarray, random: Random, x: int, base: int, high: int) -> int:
    """One to eight of the same; returns how far they reach."""
    across, down = max(3, int(high * random.uniform(0.12, 0.7))), int(high * random.uniform(0.45, 0.92))
    colour, band, patch = (draw_colour(random) for _ in range(3))
    at, count = random.uniform(0.1, 0.7), random.randrange(1, 9)
    for place in range(count):
        left = x + place * (across + 1)
        cv2.rectangle(front, (left, base - down), (left + across - 1, base), colour, -1)
        top = base - down + int(at * down)
        cv2.rectangle(front, (left, top), (left + across - 1, top + max(1, down // 5)), band, -1)
        cv2.rectangle(front, (left + across // 3, top - 2), (left + 2 * across // 3, top + 2), patch, -1)
    return count * (across + 1) + random.randrange(1, 5)


def _lay(picture: np.ndarray, front: np.ndarray, random: Random) -> None:
    """Puts a flat thing into the picture, in perspective."""
    height, width = picture.shape[:2]
    rows, columns = front.shape[:2]
    size = random.uniform(0.4, 1.2)
    near, far = size, size * random.uniform(0.4, 1.0)
    x, y = random.uniform(-0.2, 0.9) * width, random.uniform(-0.1, 0.9) * height
    across = columns * size * random.uniform(0.5, 1.0)
    drop = rows * (near - far) / 2 + random.uniform(-0.2, 0.2) * across
    target = [[x, y], [x + across, y + drop], [x + across, y + drop + rows * far], [x, y + rows * near]]
    if random.random() < 0.5:
        target = [target[1], target[0], target[3], target[2]]
    corners, target = np.float32([[0, 0], [columns, 0], [columns, rows], [0, rows]]), np.float32(target)
    left, top = np.clip(target.min(0), 0, (width, height)).astype(int)
    right, bottom = np.clip(target.max(0) + 1, 0, (width, height)).astype(int)
    if right <= left or bottom <= top:
        return
    target -= np.float32([left, top])
    size = right - left, bottom - top
    laid = cv2.warpPerspective(front, cv2.getPerspectiveTransform(corners, target), size, flags=cv2.INTER_LINEAR)
    mask = np.zeros(size[::-1], np.uint8)
    cv2.fillConvexPoly(mask, np.int32(np.round(target)), 1)
    np.copyto(picture[top:bottom, left:right], laid, where=mask[:, :, None] > 0)


def add_lamps(picture: np.ndarray, random: Random) -> None:
    """A row of lamps that grow smaller, with their glow."""
    height, width = picture.shape[:2]
    lit = np.zeros((height, width), np.uint8)
    x, y = random.uniform(0, 1) * width, random.uniform(0, 0.5) * height
    step, turn = random.uniform(20, 110), random.uniform(-math.pi, math.pi)
    size, shrink, flat = random.uniform(3, 26), random.uniform(0.75, 1.0), random.uniform(0.1, 1.0)
    for _ in range(random.randrange(2, 14)):
        cv2.ellipse(lit, (int(x), int(y)), (max(1, int(size)), max(1, int(size * flat))), 0, 0, 360, 255, -1)
        x, y = x + step * math.cos(turn), y + 0.4 * step * math.sin(turn)
        step, size = step * shrink, size * shrink
    glow = np.maximum(lit // 4 * 3, cv2.GaussianBlur(lit, (0, 0), random.uniform(1, 9)))
    x, y, across, down = cv2.boundingRect(glow)
    lamps = picture[y : y + down, x : x + across]
    light = glow[y : y + down, x : x + across, None] * (np.float32(draw_colour(random, 240)) / 255)
    lamps[:] = np.minimum(lamps + light, 255).astype(np.uint8)


def add_people(picture: np.ndarray, random: Random) -> None:
    """Heads and shoulders, from behind mostly."""
    height, width = picture.shape[:2]
    for _ in range(random.randrange(1, 5)):
        head = random.randrange(6, 50)
        x, y = int(random.uniform(0, 1) * width), int(random.uniform(0.2, 1) * height)
        skin: Colour = (random.uniform(60, 220), random.uniform(50, 170), random.uniform(40, 140))
        hair = draw_colour(random, random.uniform(10, 70))
        coat = draw_colour(random)
        cv2.ellipse(picture, (x, y + 4 * head), (int(1.7 * head), 3 * head), 0, 0, 360, coat, -1)
        cv2.rectangle(picture, (x - int(1.3 * head), y + 4 * head), (x + int(1.3 * head), y + 9 * head), coat, -1)
        cv2.ellipse(picture, (x, y), (int(0.8 * head), head), 0, 0, 360, skin, -1)
        cv2.ellipse(picture, (x, y - head // 4), (int(0.85 * head), int(0.9 * head)), 0, 150, 390, hair, -1)


def add_railing(picture: np.ndarray, random: Random) -> None:
    """Lines side by side: railings, slats, escalators, pipes."""
    height, width = picture.shape[:2]
    colour, thick = draw_colour(random), random.choice((1, 1, 2, 3, 6))
    x, y = random.uniform(0, 1) * width, random.uniform(0, 1) * height
    turn, length = random.choice((0, math.pi / 2, random.uniform(0, math.pi))), random.uniform(10, 300)
    step = thick + random.uniform(2, 24)
    along = np.array([math.cos(turn), math.sin(turn)]) * length
    for place in range(random.randrange(3, 26)):
        begin = np.array([x, y]) + place * step * np.array([-math.sin(turn), math.cos(turn)])
        cv2.line(picture, tuple(np.int32(begin)), tuple(np.int32(begin + along)), colour, thick, cv2.LINE_AA)


def add_tiles(picture: np.ndarray, random: Random) -> None:
    """A floor or a wall of two kinds of tiles."""
    side, count = random.randrange(6, 48), random.randrange(4, 12)
    one, other = draw_colour(random), draw_colour(random)
    rows, columns = np.indices((count * side, count * side)) // side
    checked = random.random() < 0.5
    odd = (rows + columns) % 2 if checked else ((np.indices(rows.shape) % side) < max(1, side // 12)).any(0)
    front = np.where(odd[:, :, None], np.float32(one), np.float32(other)).astype(np.uint8)
    _lay(picture, front, random)


def add_glass(picture: np.ndarray, random: Random) -> None:
    """A pane in which another part of the picture is mirrored."""
    height, width = picture.shape[:2]
    across, down = int(random.uniform(0.2, 0.7) * width), int(random.uniform(0.2, 0.7) * height)
    left, x = (int(random.random() * (width - across)) for _ in range(2))
    top, y = (int(random.random() * (height - down)) for _ in range(2))
    mirrored = np.ascontiguousarray(picture[y : y + down, x : x + across][:, ::-1])
    mirrored = cv2.GaussianBlur(mirrored, (0, 0), random.uniform(0.5, 4))
    pane = picture[top : top + down, left : left + across]
    share = random.uniform(0.15, 0.5)
    pane[:] = cv2.addWeighted(np.ascontiguousarray(pane), 1 - share, mirrored, share, 0)


_THINGS = (add_shelves, add_shelves, add_shelves, add_lamps, add_people, add_railing, add_tiles, add_glass)
