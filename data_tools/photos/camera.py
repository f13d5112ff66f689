"""What light, lens, sensor and file format do to a photograph in colour; arrays are uint8 (h, w, 3)."""

from __future__ import annotations

import functools
import math
from random import Random

import cv2
import numpy as np
from PIL import Image

from data_tools import effects
from data_tools.photos.recipe import Recipe

_GRAIN = 1 << 20


def photograph(picture: np.ndarray, random: Random, recipe: Recipe) -> Image.Image:
    """The picture as a camera of a telephone, or a poorer one, takes it."""
    if random.random() < recipe.light:
        picture = shade(picture, random)
    if random.random() < recipe.blur:
        picture = defocus(picture, random, random.choice((1.0, 1.0, 2.2)))
    if random.random() < recipe.noise:
        picture = add_grain(picture, random, abs(random.gauss(0, 7)) + 1)
    image = Image.fromarray(picture)
    return effects.compress(image, int(30 + 65 * random.random())) if random.random() < recipe.jpeg else image


def shade(picture: np.ndarray, random: Random) -> np.ndarray:
    """Uneven light of some colour."""
    height, width = picture.shape[:2]
    low = random.uniform(0.45, 0.95)
    cells = np.array([[random.uniform(low, 1.05) for _ in range(4)] for _ in range(3)], np.float32)
    field = cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC)
    tint = np.array([random.gauss(1, 0.06) for _ in range(3)], np.float32)
    return np.clip(picture * (field[:, :, None] * tint), 0, 255).astype(np.uint8)


def defocus(picture: np.ndarray, random: Random, most: float) -> np.ndarray:
    """Out of focus, or moved; `most` is the largest radius in pixels."""
    radius = most * random.random() ** 1.5
    if random.random() < 0.7:
        return cv2.GaussianBlur(picture, (0, 0), 0.3 + radius)
    angle, length = random.uniform(0, math.pi), 1 + 3 * radius
    return np.asarray(effects.blur_motion(Image.fromarray(picture), angle, length))


@functools.cache
def _grain() -> np.ndarray:
    """Standard normal values, the same in every process: drawing them anew would take longest of all."""
    return np.random.Generator(np.random.SFC64(0)).standard_normal(_GRAIN, np.float32)


def add_grain(picture: np.ndarray, random: Random, amount: float) -> np.ndarray:
    """A sensor's noise of standard deviation `amount`; each row of each colour is a piece of one long series."""
    height, width = picture.shape[:2]
    generator = np.random.Generator(np.random.SFC64(random.getrandbits(63)))
    starts = generator.integers(0, _GRAIN - 3 * width, height)
    grain = _grain()[starts[:, None] + np.arange(3 * width)].reshape(height, width, 3)
    return np.clip(picture + grain * np.float32(amount), 0, 255).astype(np.uint8)
