"""PP-OCR's base data augmentation, and text image augmentation.

Both move points of the upper and lower edge, and the picture follows in strips between them; the papers' public code
has a projection, or moving least squares, in their place.
"""

from __future__ import annotations

import math
from random import Random

import numpy as np
from PIL import Image

from data_tools.augment import warp
from data_tools.effects import add_noise, blur_motion

CHANCE = 0.4
"""Of each effect, as in PaddleOCR's public code."""
_STEEPEST = 10.0
"""Degrees."""
_LEAN = 0.2
"""Of its height, how far the ends of a line may rise or sink by a rotation: it must stay in the picture."""
_SEGMENTS = (3, 6)
"""Strips of a distorted or stretched text (Luo et al.'s public code)."""


def distort_basic(image: Image.Image, random: Random) -> Image.Image:
    """BDA: rotation, perspective, motion blur and Gaussian noise, each by chance (Du et al., "PP-OCR", 2020)."""
    if random.random() < CHANCE:
        image = _rotate(image, random)
    if random.random() < CHANCE:
        image = _tilt(image, random)
    if random.random() < CHANCE:
        image = blur_motion(image, random.uniform(0, math.pi), random.uniform(0.03, 0.15) * image.height)
    if random.random() < CHANCE:
        generator = np.random.Generator(np.random.SFC64(random.getrandbits(63)))
        noisy = add_noise(np.asarray(image, np.float32), generator, random.uniform(2, 12), coarse=False)
        image = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    return image


def distort_text(image: Image.Image, random: Random) -> Image.Image:
    """TIA: distortion, stretching and perspective of text, each by chance (Luo, Zhu, Jin, Wang, "Learn to Augment",
    CVPR 2020, section 3.1).
    """
    for change in (_distort, _stretch, _tilt_text):
        if random.random() < CHANCE:
            image = change(image, random)
    return image


def _corners(image: Image.Image, strips: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Columns (strips + 1,) and the points (2, strips + 1, 2) of upper and lower edge where they are."""
    width, height = image.size
    edges = np.linspace(0, width, min(strips, width) + 1).round()
    return edges, np.stack([np.stack([edges, np.full_like(edges, y)], 1) for y in (0, height)])


def _rotate(image: Image.Image, random: Random) -> Image.Image:
    edges, points = _corners(image)
    width, height = image.size
    most = min(math.radians(_STEEPEST), math.atan(_LEAN * height / (width / 2)))
    angle = random.uniform(-most, most)
    centre = np.array([width / 2, height / 2])
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return warp(image, edges, (points - centre) @ turn + centre)


def _tilt(image: Image.Image, random: Random) -> Image.Image:
    edges, points = _corners(image)
    return warp(image, edges, points + 0.1 * image.height * _draw(random, points.shape))


def _distort(image: Image.Image, random: Random) -> Image.Image:
    """Every point moves by a sixth of a strip at most, up or down no further than a sixth of the height."""
    edges, points = _corners(image, random.randint(*_SEGMENTS))
    reach = min(image.width / (len(edges) - 1), image.height) / 6
    return warp(image, edges, points + reach * _draw(random, points.shape))


def _stretch(image: Image.Image, random: Random) -> Image.Image:
    """Upper and lower point of each inner column move along together, by 0.4 of a strip at most."""
    edges, points = _corners(image, random.randint(*_SEGMENTS))
    moves = 0.4 * image.width / (len(edges) - 1) * _draw(random, (1, len(edges)))
    moves[:, [0, -1]] = 0
    points[:, :, 0] += moves
    return warp(image, edges, points)


def _tilt_text(image: Image.Image, random: Random) -> Image.Image:
    """The corners come from above and below by up to a quarter of the height: the text's ends shrink."""
    edges, points = _corners(image)
    moves = 0.25 * image.height * abs(_draw(random, (2, 2)))
    points[:, :, 1] += moves * np.array([[-1], [1]])
    return warp(image, edges, points)


def _draw(random: Random, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform within ±1."""
    return np.array([random.uniform(-1, 1) for _ in range(math.prod(shape))]).reshape(shape)
