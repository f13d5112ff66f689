"""What text stands before or on: photographs of the user's in colour, or streets and rooms made of textures.

Pictures are uint8 (h, w, 3). Textures are those of `data_tools.words`, given two colours each.
"""

from __future__ import annotations

import functools
import logging
from pathlib import Path
from random import Random

import cv2
import numpy as np
from PIL import Image

from data_tools.errors import UserError
from data_tools.images import open_file, to_channels
from data_tools.words.textures import COUNT, SIZE, procedural

logger = logging.getLogger(__name__)

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
_LONGEST = 1024
"""Photographs are kept at this size at most: larger ones would only take memory."""

Colour = tuple[float, float, float]


class Backdrops:
    """Where backgrounds come from: `draw(random, width, height)`. Raises UserError for a folder without pictures."""

    def __init__(self, folder: str | None):
        self._files = _find_photographs(folder) if folder else []

    def draw(self, random: Random, width: int, height: int) -> np.ndarray:
        """A background: mostly a photograph, if there are any."""
        if self._files and random.random() < 0.85:
            for _ in range(8):
                photograph = _open(self._files[int(random.random() * len(self._files))])
                if photograph is not None:
                    return _cut(photograph, random, width, height)
        return draw_street(random, width, height)


def _find_photographs(folder: str) -> list[str]:
    files = sorted(str(file) for file in Path(folder).expanduser().rglob("*") if file.suffix.lower() in SUFFIXES)
    if not files:
        raise UserError(f"{folder}: no picture there; name a folder of jpg or png files with --backgrounds")
    return files


@functools.lru_cache(maxsize=96)
def _open(path: str) -> np.ndarray | None:
    """The photograph, _LONGEST pixels at most; None (one line in the log) if it cannot be read."""
    try:
        image = to_channels(open_file(path), 3)
    except UserError as error:
        logger.warning("background skipped: %s", error)
        return None
    image.thumbnail((_LONGEST, _LONGEST), Image.Resampling.BILINEAR)
    return np.asarray(image)


def _cut(photograph: np.ndarray, random: Random, width: int, height: int) -> np.ndarray:
    """A piece of a photograph in the wanted proportions, at most as large as fits, mirrored now and then."""
    rows, columns = photograph.shape[:2]
    share = min(columns / width, rows / height) * random.uniform(0.5, 1.0)
    across, down = max(2, int(width * share)), max(2, int(height * share))
    x, y = int(random.random() * (columns - across + 1)), int(random.random() * (rows - down + 1))
    piece = photograph[y : y + down, x : x + across]
    if random.random() < 0.5:
        piece = piece[:, ::-1]
    return cv2.resize(np.ascontiguousarray(piece), (width, height), interpolation=cv2.INTER_LINEAR)


def draw_colour(random: Random, light: float | None = None) -> Colour:
    """A colour, often a grey one; `light` is the mean of its levels, 0-255 (None: any)."""
    level = random.uniform(15, 240) if light is None else light
    strength = random.choice((0.0, 0.1, 0.25, 0.6, 1.0))
    tint = [random.uniform(-1, 1) for _ in range(3)]
    mean = sum(tint) / 3
    room = min(level, 255 - level)
    return tuple(min(255.0, max(0.0, level + (value - mean) * strength * max(room, 40))) for value in tint)


def draw_texture(random: Random, width: int, height: int, colour: Colour, contrast: float) -> np.ndarray:
    """A texture about `colour`; `contrast` is its standard deviation in levels."""
    texture = np.asarray(procedural(int(random.random() * COUNT)))
    zoom = random.uniform(0.25, 1.0)
    side = max(16, int(SIZE * zoom))
    x, y = int(random.random() * (SIZE - side + 1)), int(random.random() * (SIZE - side + 1))
    piece = cv2.resize(texture[y : y + side, x : x + side], (width, height), interpolation=cv2.INTER_LINEAR)
    other = draw_colour(random)
    steps = (np.arange(256, dtype=np.float32)[:, None] - 128) / 42  # standard deviations, see `textures.procedural`
    towards = np.subtract(other, colour)
    towards = towards / max(float(np.abs(towards).max()), 1.0) * contrast
    table = np.clip(np.asarray(colour, np.float32) + steps * towards.astype(np.float32), 0, 255).astype(np.uint8)
    return cv2.merge([cv2.LUT(piece, np.ascontiguousarray(table[:, channel])) for channel in range(3)])


def draw_street(random: Random, width: int, height: int) -> np.ndarray:
    """A wall, or sky, wall and ground, with doors, windows, boards and shadows: all of them textures."""
    picture = draw_texture(random, width, height, draw_colour(random), random.uniform(3, 30))
    if random.random() < 0.5:
        horizon = round(height * random.uniform(0.1, 0.5))
        picture[:horizon] = draw_texture(random, width, horizon, draw_colour(random, random.uniform(120, 250)), 8)
    if random.random() < 0.4:
        ground = round(height * random.uniform(0.7, 0.95))
        picture[ground:] = draw_texture(random, width, height - ground, draw_colour(random), random.uniform(5, 30))
    for _ in range(random.randrange(0, 9)):
        _add_front(picture, random)
    return picture


def _add_front(picture: np.ndarray, random: Random) -> None:
    """A rectangle seen from anywhere, of a texture of its own: a house, a window, a car's side."""
    height, width = picture.shape[:2]
    across, down = (max(8, int(size * random.uniform(0.05, 0.5))) for size in (width, height))
    x, y = random.uniform(-0.2, 1) * width, random.uniform(-0.2, 1) * height
    left, top = max(0, int(x)), max(0, int(y))
    right, bottom = min(width, int(x + across)), min(height, int(y + down))
    if right - left < 4 or bottom - top < 4:
        return
    patch = draw_texture(random, right - left, bottom - top, draw_colour(random), random.uniform(2, 40))
    if random.random() < 0.5:
        picture[top:bottom, left:right] = patch
        return
    lean = random.uniform(-0.3, 0.3) * (bottom - top)
    corners = np.array(
        [[0, max(lean, 0)], [right - left, max(-lean, 0)], [right - left, bottom - top], [0, bottom - top]]
    )
    mask = np.zeros(patch.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, corners.astype(np.int32), 255)
    place = picture[top:bottom, left:right]
    np.copyto(place, patch, where=mask[:, :, None] > 0)
