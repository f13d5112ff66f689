"""Augmentation by leaving something out of a picture. Lengths that the papers give for photographs of 224x224 are
shares of a line's height here. What is left out has the picture's mean level, unless said otherwise.
"""

from __future__ import annotations

import math
from random import Random

import numpy as np
from PIL import Image

_CELLS = (0.0, 1 / 4, 1 / 3, 1 / 2)
"""Sides of hidden cells; 0: nothing is hidden."""
_HIDDEN = 0.5


def cut_out(image: Image.Image, random: Random) -> Image.Image:
    """A square of half the height, its centre anywhere (DeVries and Taylor, "Cutout", 2017)."""
    side = image.height / 2
    x, y = random.uniform(0, image.width), random.uniform(0, image.height)
    hidden = np.zeros((image.height, image.width), bool)
    hidden[_span(y, side, image.height), _span(x, side, image.width)] = True
    return _fill(image, hidden)


def erase_random(image: Image.Image, random: Random) -> Image.Image:
    """By a chance of a half a box of noise, of 2-40% of the picture, 0.3 to 3.3 times as high as wide (Zhong et al.,
    "Random Erasing Data Augmentation", AAAI 2020).
    """
    if random.random() >= 0.5:
        return image
    for _ in range(100):
        area = random.uniform(0.02, 0.4) * image.width * image.height
        shape = random.uniform(0.3, 1 / 0.3)
        height, width = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
        if 0 < height < image.height and 0 < width < image.width:
            break
    else:
        return image
    top, left = random.randint(0, image.height - height), random.randint(0, image.width - width)
    levels = np.array(image)
    generator = np.random.Generator(np.random.SFC64(random.getrandbits(63)))
    box = levels[top : top + height, left : left + width]
    box[...] = generator.integers(0, 256, box.shape, np.uint8)
    return Image.fromarray(levels)


def hide_and_seek(image: Image.Image, random: Random) -> Image.Image:
    """Cells of a grid, each by a chance of a half (Singh and Lee, "Hide-and-Seek", ICCV 2017)."""
    side = round(random.choice(_CELLS) * image.height)
    if not side:
        return image
    rows, columns = -(-image.height // side), -(-image.width // side)
    cells = np.array([random.random() < _HIDDEN for _ in range(rows * columns)]).reshape(rows, columns)
    return _fill(image, cells.repeat(side, 0).repeat(side, 1)[: image.height, : image.width])


def mask_grid(image: Image.Image, random: Random) -> Image.Image:
    """Squares half as long as their distances, a third to all of the height (Chen et al., "GridMask", 2020)."""
    distance = max(2, round(random.uniform(0.33, 1.0) * image.height))
    across, down = (
        (np.arange(size) + random.randrange(distance)) % distance < distance / 2 for size in (image.width, image.height)
    )
    return _fill(image, down[:, None] & across)


def _span(centre: float, length: float, size: int) -> slice:
    return slice(max(0, round(centre - length / 2)), min(size, round(centre + length / 2)))


def _fill(image: Image.Image, hidden: np.ndarray) -> Image.Image:
    """The mean level where `hidden` (h, w)."""
    levels = np.array(image)
    levels[hidden] = levels.reshape(-1, *levels.shape[2:]).mean(0).astype(np.uint8)
    return Image.fromarray(levels)
