"""Augmentation of word pictures that were not rendered: what a data set of real or older pictures lacks in variety.

The geometry is text image augmentation after Luo, Zhu, Jin, Wang, "Learn to Augment" (CVPR 2020): points along the
upper and lower edge move on their own and the picture follows in strips; rotation and perspective move all of them.
"""

from __future__ import annotations

import math
from random import Random

import numpy as np
from PIL import Image

from data_tools.effects import grid_mesh
from data_tools.words.degrade import blur, compress, lower_resolution, noise


def augment_word(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A picture as it might have been taken instead: same mode (L or RGB; others become L), about the same size.

    Each effect comes by chance, and about one picture in six stays as it is. The text stays readable and whole.
    """
    random = Random(int(rng.integers(2**62)))
    if image.mode not in ("L", "RGB"):
        image = image.convert("L")
    if random.random() < 0.16 or min(image.size) < 4:
        return image
    if random.random() < 0.6:
        image = bend(image, random)
    if random.random() < 0.4:
        image = relight(image, random)
    if random.random() < 0.25:
        image = blur(image, random, image.height / 32 * 1.4)
    elif random.random() < 0.2 and image.height > 16:
        image = lower_resolution(image, random)
    if random.random() < 0.25:
        noisy = noise(np.asarray(image, np.float32), random)
        image = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    return compress(image, random) if random.random() < 0.15 else image


def bend(image: Image.Image, random: Random) -> Image.Image:
    """Rotation, perspective and moved strips in one transform; beyond the picture its edge goes on."""
    width, height = image.size
    strips = min(random.choice((1, 1, 2, 3, 4, 6)), width)
    edges = np.linspace(0, width, strips + 1).round()
    return warp(image, edges, np.stack([_move(edges, y, width, height, random) for y in (0.0, float(height))]))


def warp(image: Image.Image, edges: np.ndarray, source: np.ndarray) -> Image.Image:
    """The picture in strips between the columns `edges` (A,), whole numbers from 0 to its width; `source` (2, A, 2)
    says where points of the upper and the lower edge are taken from. Beyond the picture its edge goes on.
    """
    width, height = image.size
    pad = max(2, height // 3)
    around = np.pad(np.asarray(image), ((pad, pad), (pad, pad)) + ((0, 0),) * (len(image.getbands()) > 1), mode="edge")
    mesh = grid_mesh(edges, np.array([0, height]), source + pad)
    return Image.fromarray(around).transform((width, height), Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)


def _move(x: np.ndarray, y: float, width: int, height: int, random: Random) -> np.ndarray:
    """Where points (n,) of one edge at row `y` are taken from: (n, 2), not far outside of the picture."""
    reach = 0.28 * width / max(len(x) - 1, 3)
    across = np.array([random.uniform(-1, 1) for _ in x]) * min(reach, 0.25 * height)
    down = np.array([random.uniform(-1, 1) for _ in x]) * 0.12 * height
    tilt = math.tan(math.radians(random.gauss(0, 2.5)))  # one an edge: rotation, and perspective where they differ
    lean = np.clip((x - width / 2) * tilt, -0.2 * height, 0.2 * height)
    return np.stack([x + across, y + down + lean], axis=1)


def relight(image: Image.Image, random: Random) -> Image.Image:
    """Other contrast, brightness and gamma; now and then the negative."""
    levels = np.arange(256) / 255
    levels = levels ** math.exp(random.gauss(0, 0.3))
    levels = 0.5 + (levels - 0.5) * random.uniform(0.5, 1.2) + random.gauss(0, 0.1)
    if random.random() < 0.15:
        levels = 1 - levels
    table = np.clip(levels * 255, 0, 255).astype(np.uint8).tolist()
    return image.point(table * len(image.getbands()))
