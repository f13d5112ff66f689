"""What light, lens, sensor and file format do to a picture: on float32 in 0-255, (h, w) or for noise
also (h, w, 3), or on PIL images."""

from __future__ import annotations

import io
import math
from random import Random

import numpy as np
from PIL import Image, ImageFilter

from data_tools.words.recipe import Recipe

FAINT = 16.0  # standard deviation of a picture's levels


def deviation(picture: np.ndarray) -> float:
    """Standard deviation of the levels, by every sixth pixel."""
    some = picture[::2, ::3].ravel()
    some = some - some.sum() / some.size
    return math.sqrt(float((some * some).sum()) / some.size)


def light(picture: np.ndarray, random: Random) -> np.ndarray:
    """Uneven light: a slope across the picture, and now and then a highlight or a hard shadow's edge."""
    height, width = picture.shape
    x = np.arange(-width / 2, width / 2, dtype=np.float32)[None, :width] * (2 / width)
    y = np.arange(-height / 2, height / 2, dtype=np.float32)[:height, None] * (2 / height)
    angle, kind = random.uniform(0, 2 * math.pi), random.random()
    slope = x * math.cos(angle) + y * math.sin(angle)
    if kind < 0.6:
        return picture * (1 + slope * random.uniform(0.05, 0.45))
    if kind < 0.8:
        spot = np.exp(-((x - random.uniform(-1, 1)) ** 2 * random.uniform(1, 8) + (y - random.uniform(-1, 1)) ** 2 * 2))
        return picture + spot * random.uniform(20, 190)
    edge = np.tanh((slope - random.uniform(-0.6, 0.6)) * random.uniform(2, 14))
    return picture * (1 + edge * random.uniform(0.1, 0.35))


def glare(picture: np.ndarray, random: Random) -> np.ndarray:
    """A reflection, white in its middle, that outshines a part of the word: gloss, glass, a flash."""
    height, width = picture.shape
    across, down = random.uniform(0, width), random.uniform(0, height)
    broad, high = height * random.uniform(0.2, 0.7), height * random.uniform(0.2, 1.2)
    x = np.arange(width, dtype=np.float32) - across
    y = np.arange(height, dtype=np.float32)[:, None] - down
    x = x - y * random.gauss(0, 0.5)
    spot = np.exp(-((x * (1 / broad)) ** 2) - (y * (1 / high)) ** 2)
    return picture + spot * random.uniform(130, 300)


def noise(picture: np.ndarray, random: Random) -> np.ndarray:
    """A sensor's noise: grains of one pixel or a little larger, weaker than the letters' own contrast."""
    height, width = picture.shape[:2]
    generator = np.random.Generator(np.random.SFC64(random.getrandbits(63)))
    amount = min(abs(random.gauss(0, 9)) + 1, 0.45 * deviation(picture))
    if random.random() < 0.6:
        return picture + generator.standard_normal(picture.shape, np.float32) * amount
    coarse = (height // 2 + 1, width // 2 + 1, *picture.shape[2:])
    grains = generator.standard_normal(coarse, np.float32) * amount
    return picture + grains.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]


def blur(image: Image.Image, random: Random, most: float) -> Image.Image:
    """Defocus (Gaussian or box) or motion blur; `most` is the largest radius in pixels."""
    kind, radius = random.random(), most * random.random() ** 1.5
    if kind < 0.6:
        return image.filter(ImageFilter.GaussianBlur(radius))
    if kind < 0.75:
        return image.filter(ImageFilter.BoxBlur(radius))
    return _motion(image, random.uniform(0, math.pi), 1 + radius * 2.2)


def sharpened(image: Image.Image, random: Random) -> Image.Image:
    """Edges made steeper, with a halo beside them: in-camera sharpening, or a large photograph made small."""
    return image.filter(ImageFilter.UnsharpMask(random.uniform(0.6, 1.6), int(random.uniform(50, 220)), 0))


def _motion(image: Image.Image, angle: float, length: float) -> Image.Image:
    steps = max(2, min(9, round(length) + 1))
    picture = np.asarray(image, np.float32)
    total = np.zeros_like(picture)
    reach = np.linspace(-length / 2, length / 2, steps)
    pad = math.ceil(length / 2) + 1
    padded = np.pad(picture, ((pad, pad), (pad, pad)) + ((0, 0),) * (picture.ndim - 2), mode="edge")
    height, width = picture.shape[:2]
    for at in reach:
        x, y = pad + round(at * math.cos(angle)), pad + round(at * math.sin(angle))
        total += padded[y : y + height, x : x + width]
    return Image.fromarray((total / steps + 0.5).astype(np.uint8))


def compress(image: Image.Image, random: Random) -> Image.Image:
    """Through JPEG and back, at a quality from poor to fair."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=int(20 + 65 * random.random() ** 1.1))
    out = Image.open(buffer)
    out.load()
    return out


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
    image = scaled(picture, random, recipe)
    blurred, fewer = random.random() < recipe.blur * strength, random.random()
    fewer = fewer < recipe.low_resolution * strength * (0.3 if blurred else 1)
    faint = (blurred or fewer) and deviation(picture) < FAINT  # what is hardly seen must not be lost altogether
    if blurred:
        image = blur(image, random, image.height / 32 * (0.9 if faint else 1.7))
    elif random.random() < recipe.sharpen * strength:
        image = sharpened(image, random)
    if fewer and not faint:
        image = lower_resolution(image, random)
    if random.random() < recipe.noise * strength:
        image = grey(noise(np.asarray(image, np.float32), random))
    return compress(image, random) if random.random() < recipe.jpeg * strength else image


def screen(picture: np.ndarray, random: Random, recipe: Recipe) -> Image.Image:
    """A picture (h, w) in 0-255 as a web page or a scan shows it: scaled, enlarged from few pixels, or compressed."""
    image = scaled(picture, random, recipe)
    if random.random() < recipe.sharpen * recipe.strength:
        image = sharpened(image, random)
    if random.random() < recipe.low_resolution * 0.5 * recipe.strength:
        image = lower_resolution(image, random)
    return compress(image, random) if random.random() < recipe.jpeg * recipe.strength else image


def grey(picture: np.ndarray) -> Image.Image:
    """(h, w) float32 as a grey picture, clipped to 0-255."""
    return Image.fromarray(picture).convert("L")


def scaled(picture: np.ndarray, random: Random, recipe: Recipe) -> Image.Image:
    """The picture at one of the recipe's heights, never enlarged."""
    image = grey(picture)
    low, high = recipe.height
    height = round(low * (high / low) ** random.random())
    if height >= image.height:
        return image
    return image.resize((max(8, round(image.width * height / image.height)), height), Image.Resampling.BILINEAR)
