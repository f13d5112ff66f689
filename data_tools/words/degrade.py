"""How much light, lens, sensor and file format do to a word, by chance; `data_tools.effects` does it.

Arrays are float32 in 0-255, (h, w) or for noise also (h, w, 3).
"""

from __future__ import annotations

import math
from random import Random

import numpy as np
from PIL import Image, ImageFilter

from data_tools import effects
from data_tools.words.recipe import Recipe

FAINT = 16.0  # standard deviation of a picture's levels


def deviation(picture: np.ndarray) -> float:
    """Standard deviation of the levels, by every sixth pixel."""
    some = picture[::2, ::3].ravel()
    some = some - some.sum() / some.size
    return math.sqrt(float((some * some).sum()) / some.size)


def light(picture: np.ndarray, random: Random) -> np.ndarray:
    """Uneven light: a slope across the picture, and now and then a highlight or a hard shadow's edge."""
    angle, kind = random.uniform(0, 2 * math.pi), random.random()
    if kind < 0.6:
        return effects.shade_slope(picture, angle, random.uniform(0.05, 0.45))
    if kind < 0.8:
        x, narrowness, y = random.uniform(-1, 1), random.uniform(1, 8), random.uniform(-1, 1)
        return effects.add_highlight(picture, x, y, narrowness, random.uniform(20, 190))
    place, hardness = random.uniform(-0.6, 0.6), random.uniform(2, 14)
    return effects.shade_edge(picture, angle, place, hardness, random.uniform(0.1, 0.35))


def glare(picture: np.ndarray, random: Random) -> np.ndarray:
    """A reflection, white in its middle, that outshines a part of the word: gloss, glass, a flash."""
    height, width = picture.shape
    centre = random.uniform(0, width), random.uniform(0, height)
    size = height * random.uniform(0.2, 0.7), height * random.uniform(0.2, 1.2)
    return effects.add_glare(picture, centre, size, random.gauss(0, 0.5), random.uniform(130, 300))


def noise(picture: np.ndarray, random: Random) -> np.ndarray:
    """A sensor's noise: grains of one pixel or a little larger, weaker than the letters' own contrast."""
    generator = np.random.Generator(np.random.SFC64(random.getrandbits(63)))
    amount = min(abs(random.gauss(0, 9)) + 1, 0.45 * deviation(picture))
    return effects.add_noise(picture, generator, amount, coarse=random.random() >= 0.6)


def blur(image: Image.Image, random: Random, most: float) -> Image.Image:
    """Defocus (Gaussian or box) or motion blur; `most` is the largest radius in pixels."""
    kind, radius = random.random(), most * random.random() ** 1.5
    if kind < 0.6:
        return image.filter(ImageFilter.GaussianBlur(radius))
    if kind < 0.75:
        return image.filter(ImageFilter.BoxBlur(radius))
    return effects.blur_motion(image, random.uniform(0, math.pi), 1 + radius * 2.2)


def sharpen(image: Image.Image, random: Random) -> Image.Image:
    """Edges made steeper, with a halo along them: in-camera sharpening, or a large photograph made small."""
    return image.filter(ImageFilter.UnsharpMask(random.uniform(0.6, 1.6), int(random.uniform(50, 220)), 0))


def compress(image: Image.Image, random: Random) -> Image.Image:
    """Through JPEG and back, at a quality from poor to fair."""
    return effects.compress(image, int(20 + 65 * random.random() ** 1.1))


def lower_resolution(image: Image.Image, random: Random) -> Image.Image:
    """Fewer pixels, and back to the size: a word far away, enlarged by a phone or a web page."""
    height = max(11.0, image.height * random.uniform(0.4, 0.85))
    if height >= image.height:
        return image
    size = (max(4, round(image.width * height / image.height)), round(height))
    smooth = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)
    up = random.choice((*smooth * 3, Image.Resampling.NEAREST))
    down = Image.Resampling.BILINEAR if random.random() < 0.8 else Image.Resampling.NEAREST
    if down == up == Image.Resampling.NEAREST:
        down = Image.Resampling.BOX
    return image.resize(size, down).resize(image.size, up)


def camera(picture: np.ndarray, random: Random, recipe: Recipe) -> Image.Image:
    """A picture (h, w) in 0-255 seen by a poor camera: a grey image of the recipe's height, or less high."""
    strength = recipe.strength
    if random.random() < recipe.light * strength:
        picture = light(picture, random)
    if random.random() < recipe.glare * strength:
        picture = glare(picture, random)
    image = scale_down(picture, random, recipe)
    blurred, fewer = random.random() < recipe.blur * strength, random.random()
    fewer = fewer < recipe.low_resolution * strength * (0.3 if blurred else 1)
    faint = (blurred or fewer) and deviation(picture) < FAINT  # what is hardly seen must not be lost altogether
    if blurred:
        image = blur(image, random, image.height / 32 * (0.9 if faint else 1.7))
    elif random.random() < recipe.sharpen * strength:
        image = sharpen(image, random)
    if fewer and not faint:
        image = lower_resolution(image, random)
    if random.random() < recipe.noise * strength:
        image = grey(noise(np.asarray(image, np.float32), random))
    return compress(image, random) if random.random() < recipe.jpeg * strength else image


def screen(picture: np.ndarray, random: Random, recipe: Recipe) -> Image.Image:
    """A picture (h, w) in 0-255 as a web page or a scan shows it: scaled, enlarged from few pixels, or compressed."""
    image = scale_down(picture, random, recipe)
    if random.random() < recipe.sharpen * recipe.strength:
        image = sharpen(image, random)
    if random.random() < recipe.low_resolution * 0.5 * recipe.strength:
        image = lower_resolution(image, random)
    return compress(image, random) if random.random() < recipe.jpeg * recipe.strength else image


def grey(picture: np.ndarray) -> Image.Image:
    """(h, w) float32 as a grey picture, clipped to 0-255."""
    return Image.fromarray(picture).convert("L")


def scale_down(picture: np.ndarray, random: Random, recipe: Recipe) -> Image.Image:
    """The picture at one of the recipe's heights, never enlarged."""
    image = grey(picture)
    low, high = recipe.height
    height = round(low * (high / low) ** random.random())
    if height >= image.height:
        return image
    return image.resize((max(8, round(image.width * height / image.height)), height), Image.Resampling.BILINEAR)
