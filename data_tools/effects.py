"""What light, lens, sensor, file format and a bent surface do to a picture, each given its numbers.

Nothing is drawn at random here: renderers and augmentations decide what happens and how much. Arrays are float32 (h, w)
in 0-255 unless said otherwise.
"""

from __future__ import annotations

import io
import math
from itertools import pairwise

import numpy as np
from PIL import Image

Mesh = list[tuple[tuple[int, int, int, int], tuple[float, ...]]]
"""What Pillow's MESH transform takes: boxes of the result, each with the corners it comes from."""


def _from_centre(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """x (1, w) and y (h, 1) of the pixels, -1 to 1."""
    x = np.arange(-width / 2, width / 2, dtype=np.float32)[None, :width] * (2 / width)
    y = np.arange(-height / 2, height / 2, dtype=np.float32)[:height, None] * (2 / height)
    return x, y


def _slope(picture: np.ndarray, angle: float) -> np.ndarray:
    """(h, w): how far each pixel lies from the centre in the direction `angle` (radians), in half sizes."""
    x, y = _from_centre(*picture.shape)
    return x * math.cos(angle) + y * math.sin(angle)


def shade_slope(picture: np.ndarray, angle: float, amount: float) -> np.ndarray:
    """Light that grows in one direction: by the share `amount` at half the picture's size from its centre."""
    return picture * (1 + _slope(picture, angle) * amount)


def shade_edge(picture: np.ndarray, angle: float, place: float, hardness: float, amount: float) -> np.ndarray:
    """The edge of a shadow across `angle`, `place` half sizes from the centre; a share `amount` lighter and darker."""
    edge = np.tanh((_slope(picture, angle) - place) * hardness)
    return picture * (1 + edge * amount)


def add_highlight(picture: np.ndarray, x: float, y: float, narrowness: float, amount: float) -> np.ndarray:
    """A soft spot of light at (x, y), -1 to 1 from the centre, of `amount` levels; narrow across, wide down."""
    across, down = _from_centre(*picture.shape)
    return picture + np.exp(-((across - x) ** 2 * narrowness + (down - y) ** 2 * 2)) * amount


def add_glare(
    picture: np.ndarray, centre: tuple[float, float], size: tuple[float, float], lean: float, amount: float
) -> np.ndarray:
    """A reflection of `amount` levels at `centre` (x, y), of `size` across and down, in pixels; `lean` shears it."""
    height, width = picture.shape
    x = np.arange(width, dtype=np.float32) - centre[0]
    y = np.arange(height, dtype=np.float32)[:, None] - centre[1]
    x = x - y * lean
    return picture + np.exp(-((x * (1 / size[0])) ** 2) - (y * (1 / size[1])) ** 2) * amount


def light_field(shares: np.ndarray, width: int, height: int) -> np.ndarray:
    """Uneven light (height, width) through a coarse grid of `shares` (rows, columns)."""
    grid = Image.fromarray(shares.astype(np.float32), "F")
    return np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC))


def add_noise(picture: np.ndarray, generator: np.random.Generator, amount: float, coarse: bool) -> np.ndarray:
    """A sensor's noise of standard deviation `amount` on (h, w) or (h, w, C), in grains of one pixel or 2 x 2."""
    if not coarse:
        return picture + generator.standard_normal(picture.shape, np.float32) * amount
    height, width = picture.shape[:2]
    shape = (height // 2 + 1, width // 2 + 1, *picture.shape[2:])
    grains = generator.standard_normal(shape, np.float32) * amount
    return picture + grains.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]


def blur_motion(image: Image.Image, angle: float, length: float) -> Image.Image:
    """Moved `length` pixels in the direction `angle` (radians) while the shutter was open."""
    steps = max(2, min(9, round(length) + 1))
    picture = np.asarray(image, np.float32)
    total = np.zeros_like(picture)
    pad = math.ceil(length / 2) + 1
    padded = np.pad(picture, ((pad, pad), (pad, pad)) + ((0, 0),) * (picture.ndim - 2), mode="edge")
    height, width = picture.shape[:2]
    for at in np.linspace(-length / 2, length / 2, steps):
        x, y = pad + round(at * math.cos(angle)), pad + round(at * math.sin(angle))
        total += padded[y : y + height, x : x + width]
    return Image.fromarray((total / steps + 0.5).astype(np.uint8))


def compress(image: Image.Image, quality: int) -> Image.Image:
    """Through JPEG and back."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    out = Image.open(buffer)
    out.load()
    return out


def grid_mesh(x: np.ndarray, y: np.ndarray, source: np.ndarray) -> Mesh:
    """A mesh of the boxes between columns `x` (A,) and rows `y` (D,), whole numbers; `source` (D, A, 2) says where
    each crossing comes from. Corners go from the upper left against the clock, as Pillow wants them."""
    quads = np.concatenate([source[:-1, :-1], source[1:, :-1], source[1:, 1:], source[:-1, 1:]], axis=-1)
    quads = quads.reshape(-1, 8).tolist()
    columns, rows = x.astype(int).tolist(), y.astype(int).tolist()
    boxes = [(left, top, right, bottom) for top, bottom in pairwise(rows) for left, right in pairwise(columns)]
    return list(zip(boxes, map(tuple, quads)))
