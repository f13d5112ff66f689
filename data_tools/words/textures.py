"""Grounds for letters: procedural textures, or photographs of the user's, cut and scaled at random.

Procedural textures are drawn once for each process from their own number, so a sample's picture depends on its seed
alone. Each is a (SIZE, SIZE) uint8 image with a mean near 128.
"""

from __future__ import annotations

import functools
import logging
import math
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from data_tools.errors import UserError
from data_tools.images import open_file, to_channels
from data_tools.readers.walk import is_side

logger = logging.getLogger(__name__)

SIZE = 384
COUNT = 96
_PHOTOGRAPHS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


class Textures:
    """Where backgrounds come from: `draw(random, width, height)`."""

    def __init__(self, folder: str | None):
        self._photographs = _photographs(folder) if folder else []

    def draw(self, random: Random, width: int, height: int) -> np.ndarray:
        """A piece of a texture: (height, width) float32, mean 0, standard deviation about 1 or less."""
        image = self._pick(random)
        zoom = random.uniform(0.4, 2.2)
        across, down = min(SIZE, max(8, int(width * zoom))), min(SIZE, max(8, int(height * zoom)))
        x, y = int(random.random() * (SIZE - across)), int(random.random() * (SIZE - down))
        piece = image.resize((width, height), Image.Resampling.BILINEAR, box=(x, y, x + across, y + down))
        values = np.asarray(piece, np.float32)
        some = values[::2, ::2].ravel()
        mean = float(some.sum()) / some.size
        values -= mean
        values *= 1 / max(math.sqrt(max(float((some * some).sum()) / some.size - mean * mean, 0.0)), 12.0)
        return values

    def _pick(self, random: Random) -> Image.Image:
        if self._photographs and random.random() < 0.85:
            for _ in range(8):
                image = _photograph(self._photographs[int(random.random() * len(self._photographs))])
                if image is not None:
                    return image
        return procedural(int(random.random() * COUNT))


def _photographs(folder: str) -> list[str]:
    files = sorted(str(file) for file in Path(folder).expanduser().rglob("*") if file.suffix.lower() in _PHOTOGRAPHS)
    files = [file for file in files if not is_side(Path(file).name)]
    if not files:
        raise UserError(f"{folder}: no picture there; name a folder of jpg or png files with --backgrounds")
    return files


@functools.lru_cache(maxsize=256)
def _photograph(path: str) -> Image.Image | None:
    """The picture, grey, its middle cut square and scaled to SIZE; None (one line in the log) if it cannot be read."""
    try:
        grey = to_channels(open_file(path), 1)
    except UserError as error:
        logger.warning("background %s; skipped", error)
        return None
    side = min(grey.size)
    left, top = (grey.width - side) // 2, (grey.height - side) // 2
    return grey.resize((SIZE, SIZE), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))


@functools.lru_cache(maxsize=COUNT)
def procedural(number: int) -> Image.Image:
    """Texture `number` of COUNT, always the same one."""
    generator, random = np.random.Generator(np.random.PCG64(number)), Random(number)
    kinds = (_cloud, _cloud, _shapes, _stripes, _bricks, _speckle, _grain, _scene)
    values = kinds[number % len(kinds)](generator, random)
    values = (values - values.mean()) / max(float(values.std()), 1e-3)
    return Image.fromarray(np.clip(128 + 42 * values, 0, 255).astype(np.uint8))


def _octave(generator: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    coarse = Image.fromarray(generator.standard_normal((rows, columns)).astype(np.float32))
    return np.asarray(coarse.resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def _cloud(generator: np.random.Generator, random: Random) -> np.ndarray:
    """Noise of many scales, like plaster, stone, foliage: amplitude falls with a random power of the scale."""
    power, stretch = random.uniform(0.3, 1.3), random.choice((1, 1, 2, 4))
    total = np.zeros((SIZE, SIZE), np.float32)
    for octave in range(2, 8):
        cells = 2**octave
        total += _octave(generator, cells, max(2, cells // stretch)) * cells**-power
    return total


def _shapes(generator: np.random.Generator, random: Random) -> np.ndarray:
    """Overlapping boxes, discs and lines: posters, windows, printed matter."""
    image = Image.new("L", (SIZE, SIZE), random.randrange(256))
    draw = ImageDraw.Draw(image)
    for _ in range(random.randrange(12, 60)):
        x, y = random.randrange(-40, SIZE), random.randrange(-40, SIZE)
        size, level = random.randrange(8, 160), random.randrange(256)
        shape = random.choice((draw.rectangle, draw.ellipse, None))
        if shape:
            shape((x, y, x + size, y + random.randrange(8, 160)), fill=level)
        else:
            end = (random.randrange(SIZE), random.randrange(SIZE))
            draw.line((x, y, *end), fill=level, width=random.randrange(1, 9))
    if random.random() < 0.7:
        image = image.filter(ImageFilter.GaussianBlur(random.uniform(0.5, 3)))
    return np.asarray(image, np.float32)


def _stripes(generator: np.random.Generator, random: Random) -> np.ndarray:
    """Shutters, boards and hatching, at any angle, over a little cloud."""
    angle, period = random.choice((0, 1.5708, random.uniform(0, 3.14))), random.uniform(6, 60)
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    along = (x * np.cos(angle) + y * np.sin(angle)) * (2 * np.pi / period)
    wave = np.sin(along) if random.random() < 0.5 else np.sign(np.sin(along) + random.uniform(-0.8, 0.8))
    cloud = _cloud(generator, random)
    return wave + cloud / cloud.std() * random.uniform(0.2, 1)


def _bricks(generator: np.random.Generator, random: Random) -> np.ndarray:
    """Courses of bricks or tiles with joints."""
    height, width, joint = random.randrange(14, 40), random.randrange(24, 90), random.randrange(1, 4)
    image = Image.new("L", (SIZE, SIZE), random.randrange(256))
    draw, base = ImageDraw.Draw(image), random.randrange(40, 220)
    for row, y in enumerate(range(0, SIZE, height)):
        for x in range(-(row % 2) * width // 2, SIZE, width):
            level = int(np.clip(base + random.gauss(0, 18), 0, 255))
            draw.rectangle((x, y, x + width - joint - 1, y + height - joint - 1), fill=level)
    cloud = _cloud(generator, random)
    return np.asarray(image, np.float32) + cloud / cloud.std() * 12


def _speckle(generator: np.random.Generator, random: Random) -> np.ndarray:
    """Grit, leaves, rust: thresholded noise of one or two scales."""
    cells = random.choice((32, 64, 128, 256))
    noise = _octave(generator, cells, cells)
    blotches = (noise > random.uniform(-1, 1.2)).astype(np.float32)
    return blotches + _octave(generator, 8, 8) * 0.4 + _octave(generator, SIZE, SIZE) * random.uniform(0, 0.4)


def _grain(generator: np.random.Generator, random: Random) -> np.ndarray:
    """Wood, brushed metal, cloth: noise drawn out in one direction."""
    cells = random.choice((96, 192, 384))
    grain = _octave(generator, cells, random.randrange(3, 10)) + _octave(generator, 12, 3)
    return grain.T if random.random() < 0.4 else grain


def _scene(generator: np.random.Generator, random: Random) -> np.ndarray:
    """A blurred street: sky above, dark below, uprights, and detail of many scales."""
    y = np.linspace(-1, 1, SIZE, dtype=np.float32)[:, None]
    shapes, cloud = _shapes(generator, random), _cloud(generator, random)
    return np.tanh((y + random.uniform(-0.5, 0.5)) * -3) * 0.8 + shapes / 90 + cloud / cloud.std() * 0.5
