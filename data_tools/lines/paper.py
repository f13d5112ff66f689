"""Lines printed on paper and scanned or photographed, on thermal paper, or shown on a screen.

Ink is a grey mask, uint8 (h, w); everything is drawn at the finished picture's size, which is small. Arrays are float32
(h, w) in 0-255.
"""

from __future__ import annotations

import math
from random import Random

import numpy as np
from PIL import Image

from data_tools import effects
from data_tools.lines.recipe import Recipe
from data_tools.words.degrade import blur, compress, deviation, grey, light, noise, sharpen
from data_tools.words.textures import Textures

_LEAST_BITONAL = 15
"""Pixels: lower letters would not survive without greys."""


def scale_ink(ink: Image.Image, random: Random, recipe: Recipe) -> np.ndarray:
    """The mask at one of the recipe's heights, smaller ones oftener, never enlarged: shares of ink (h, w), 0-1."""
    low, high = recipe.height
    height = min(round(low * (high / low) ** (random.random() ** 1.4)), ink.height)
    width = max(8, round(ink.width * height / ink.height))
    method = Image.Resampling.BOX if random.random() < 0.3 else Image.Resampling.BILINEAR
    return np.asarray(ink.resize((width, height), method), np.float32) * np.float32(1 / 255)


def print_sheet(ink: Image.Image, random: Random, recipe: Recipe, textures: Textures, camera: bool) -> Image.Image:
    """Ink on paper under a scanner or, with `camera`, before a camera."""
    strength = recipe.strength
    shares = _spread(scale_ink(ink, random, recipe), random, strength)
    paper = random.choice((255.0, 255.0, 245.0, random.uniform(205, 255)))
    black = random.choice((0.0, 15.0, random.uniform(0, 80), random.uniform(40, 0.6 * paper)))
    if random.random() < 0.06 * strength:  # the head of a table: light on dark
        paper, black = black, paper
    picture = paper + (black - paper) * shares
    if random.random() < 0.2 * strength:  # laid, recycled, creased, or printed on both sides
        picture += textures.draw(random, *picture.shape[::-1]) * abs(paper - black) * random.uniform(0.01, 0.1)
    if camera:
        picture = _photograph(picture, random, recipe)
    elif random.random() < recipe.bitonal * strength and len(picture) >= _LEAST_BITONAL:
        return _threshold(picture, random, paper, black)
    return _digitise(picture, random, recipe)


def print_thermal(ink: Image.Image, random: Random, recipe: Recipe, textures: Textures, camera: bool) -> Image.Image:
    """A receipt: grey on greyish paper, pale in streaks where the head is worn or dirty."""
    strength = recipe.strength
    shares = _spread(scale_ink(ink, random, recipe), random, strength)
    paper, black = random.uniform(200, 255), random.uniform(10, 120)
    if random.random() < 0.5 * strength:
        shares = shares * _streak(shares.shape, random)
    picture = paper + (black - paper) * shares
    if random.random() < 0.3 * strength:
        picture += textures.draw(random, *picture.shape[::-1]) * random.uniform(2, 9)
    return _digitise(_photograph(picture, random, recipe) if camera else picture, random, recipe)


def show(ink: Image.Image, random: Random, recipe: Recipe) -> Image.Image:
    """A screen: two flat levels, dark on light or light on dark, seldom blurred."""
    shares = scale_ink(ink, random, recipe)
    contrast = 60 + 195 * random.random() ** 0.6
    dark = random.uniform(0, 255 - contrast)
    fore, back = (dark, dark + contrast) if random.random() < 0.65 else (dark + contrast, dark)
    image = grey(back + (fore - back) * shares)
    if random.random() < 0.4 * recipe.jpeg * recipe.strength:
        image = compress(image, random)
    return image


def _spread(shares: np.ndarray, random: Random, strength: float) -> np.ndarray:
    """Ink that runs or is spent: half-covered pixels count for more or less."""
    if random.random() >= 0.5 * strength:
        return shares
    return shares ** np.float32(math.exp(random.uniform(-0.8, 0.6)))


def _streak(shape: tuple[int, int], random: Random) -> np.ndarray:
    """Shares of ink, pale in columns (dirt on the head) or in rows (the paper's speed), (h, w) or broadcast to it."""
    height, width = shape
    along = random.random() < 0.5
    count = max(2, round((height if along else width / 6) * random.uniform(0.2, 0.8)))
    levels = np.float32([random.uniform(0.45, 1.0) for _ in range(count)])
    smooth = np.interp(np.linspace(0, count - 1, height if along else width), np.arange(count), levels)
    return np.float32(smooth[:, None] if along else smooth[None, :])


def _photograph(picture: np.ndarray, random: Random, recipe: Recipe) -> np.ndarray:
    """Paper that is not white, in uneven light."""
    picture = picture * np.float32(random.uniform(0.5, 0.95)) + random.uniform(0, 25)
    return light(picture, random) if random.random() < 0.6 * recipe.strength else picture


def _threshold(picture: np.ndarray, random: Random, paper: float, black: float) -> Image.Image:
    """In black and white as fax machines and copiers give it, now and then with specks."""
    if random.random() < 0.4:
        generator = np.random.Generator(np.random.SFC64(random.getrandbits(63)))
        picture = effects.add_noise(picture, generator, abs(paper - black) * random.uniform(0.05, 0.25), False)
    limit = black + (paper - black) * random.uniform(0.5, 0.85)
    return grey(np.where(picture > limit, np.float32(255), np.float32(0)))


def _digitise(picture: np.ndarray, random: Random, recipe: Recipe) -> Image.Image:
    """What lens, sensor and file format do, never so much that small letters are lost."""
    strength = recipe.strength
    image = grey(picture)
    if random.random() < recipe.blur * strength:
        image = blur(image, random, image.height / 32 * 1.1)
    elif random.random() < 0.2 * strength:
        image = sharpen(image, random)
    if random.random() < recipe.noise * strength and deviation(np.asarray(image, np.float32)) > 4:
        image = grey(noise(np.asarray(image, np.float32), random))
    return compress(image, random) if random.random() < recipe.jpeg * strength else image
