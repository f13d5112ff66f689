"""What a camera does to a sheet of music: the distortions of Camera-PrIMuS, in numpy and Pillow.

Source: Calvo-Zaragoza and Rizo, "Camera-PrIMuS: Neural End-to-End Optical Music Recognition on Realistic Monophonic
Scores", ISMIR 2018, section 2: rotation, shear, waves, swirl, perspective, uneven light, blur, contrast, noise, JPEG.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from data_tools.effects import compress, grid_mesh, light_field


@dataclass(frozen=True)
class CameraRecipe:
    """How far the distortions go; lengths are shares of the picture's height."""

    strength: float = 1.0
    margin: float = 0.06  # paper around the picture, so that nothing bends out of it
    rotation: float = 1.6  # degrees, at most
    shear: float = 0.06
    wave: float = 0.018
    swirl: float = 0.05
    perspective: float = 0.05
    shade: float = 0.45
    blur: float = 0.011
    noise: float = 9.0  # grey levels
    quality: tuple[int, int] = (25, 90)  # JPEG
    cells: int = 6  # from top to bottom, of the grid that bends a picture; squares of 16 pixels or more


@dataclass(frozen=True)
class Bent:
    """Where a grid of a bent picture's points, at columns `x` (A,) and rows `y` (D,), comes from: (D, A) each."""

    x: np.ndarray
    y: np.ndarray
    source_x: np.ndarray
    source_y: np.ndarray

    def line(self, row: float) -> np.ndarray:
        """(A,): the height in the bent picture, at each of the columns, of what was level at `row`."""
        return np.array([np.interp(row, source, self.y) for source in self.source_y.T])

    def columns(self, row: float, *columns: float) -> list[float]:
        """Where those of the source's columns went, near the bent picture's `row`."""
        middle = int(np.abs(self.y - row).argmin())
        return [float(np.interp(column, self.source_x[middle], self.x)) for column in columns]


def photograph(image: Image.Image, rng: np.random.Generator, recipe: CameraRecipe = CameraRecipe()) -> Image.Image:
    """A grey picture of a staff as a hand-held camera might take it: `recipe.margin` larger all round, mode L.

    Depends on `image`, the state of `rng` and `recipe` alone.
    """
    return followed(image, rng, recipe)[0]


def followed(
    image: Image.Image, rng: np.random.Generator, recipe: CameraRecipe = CameraRecipe()
) -> tuple[Image.Image, Bent]:
    """`photograph`, and where its points come from in `image`."""
    grey = image.convert("L")
    edge = round(recipe.margin * image.height)
    picture, grid = bend(ImageOps.expand(grey, edge, _paper(grey)) if edge else grey, rng, recipe)
    blurred = _blur(picture, rng, recipe.blur * recipe.strength * image.height)
    lit = light(blurred, rng, recipe)
    photo = compress(lit, int(rng.integers(*recipe.quality, endpoint=True)))
    return photo, Bent(grid.x, grid.y, grid.source_x - edge, grid.source_y - edge)


def bend(image: Image.Image, rng: np.random.Generator, recipe: CameraRecipe) -> tuple[Image.Image, Bent]:
    """Rotation, shear, waves, swirl and perspective in one resampling; what comes from outside is paper."""
    width, height = image.size
    cell, paper = max(16, height // recipe.cells), _paper(image)
    across, down = max(2, width // cell + 2), max(2, height // cell + 2)
    x, y = np.meshgrid(np.linspace(0, width, across), np.linspace(0, height, down))  # (down, across)
    source_x, source_y = _displaced(x, y, width, height, rng, recipe)
    canvas = ImageOps.expand(image, cell, paper)
    mesh = grid_mesh(np.rint(x[0]), np.rint(y[:, 0]), np.stack([source_x + cell, source_y + cell], axis=-1))
    bent = canvas.transform(image.size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR, fillcolor=paper)
    return bent, Bent(x[0], y[:, 0], source_x, source_y)


def _paper(image: Image.Image) -> int:
    """The shade that one tenth of the picture is brighter than, or as bright as."""
    brighter = np.cumsum(image.histogram()[::-1])
    return 255 - int(np.searchsorted(brighter, 0.1 * brighter[-1]))


def _displaced(x, y, width, height, rng, recipe) -> tuple[np.ndarray, np.ndarray]:
    """Where each grid point (x, y) of the result comes from in the source."""
    force, unit = recipe.strength, height
    u, v = x - width / 2, y - height / 2
    slope = np.tan(np.deg2rad(rng.uniform(-1, 1) * recipe.rotation * force * min(1.0, 6 * height / width)))
    shear = rng.uniform(-1, 1) * recipe.shear * force
    source_x, source_y = u + shear * v - slope * v, v + slope * u
    for _ in range(2):
        length, phase = rng.uniform(0.7, 4.0) * unit, rng.uniform(0, 2 * np.pi)
        source_y = source_y + rng.uniform(0, recipe.wave) * force * unit * np.sin(2 * np.pi * x / length + phase)
    length, phase = rng.uniform(0.7, 3.0) * unit, rng.uniform(0, 2 * np.pi)
    source_x = source_x + rng.uniform(0, recipe.wave) * force * unit * np.sin(2 * np.pi * y / length + phase)
    centre = rng.uniform(-0.4, 0.4) * width
    angle = rng.uniform(-1, 1) * recipe.swirl * force * np.exp(-(((u - centre) / (1.5 * unit)) ** 2))
    source_x, source_y = source_x - angle * v, source_y + angle * (u - centre)
    narrowing = 1 + rng.uniform(-1, 1) * recipe.perspective * force * (2 * u / width)
    return source_x + width / 2, source_y * narrowing + height / 2


def _blur(image: Image.Image, rng: np.random.Generator, most: float) -> Image.Image:
    kind, amount = rng.choice(3), float(rng.uniform(0, most))
    if kind == 0:
        return image.filter(ImageFilter.GaussianBlur(amount))
    if kind == 1:  # a shaken hand: along one direction
        along = float(rng.uniform(0, 2 * amount))
        box = (along, 0.0) if rng.random() < 0.5 else (0.0, along)
        return image.filter(ImageFilter.BoxBlur(box))
    return image.filter(ImageFilter.MedianFilter(3)) if image.height > 150 and rng.random() < 0.3 else image


def light(image: Image.Image, rng: np.random.Generator, recipe: CameraRecipe) -> Image.Image:
    """Uneven light, paper and ink of some shade, gamma and sensor noise."""
    width, height = image.size
    grid = rng.uniform(1 - recipe.shade * recipe.strength, 1.0, size=(2, max(2, int(3 * width / (8 * height)) + 2)))
    field = light_field(grid, width, height)
    dark, bright = rng.uniform(0.0, 0.35), rng.uniform(0.72, 1.0)
    shades = 255 * np.linspace(dark, bright, 256) ** rng.uniform(0.8, 1.4)  # of the 256 grey levels
    grey = shades.astype(np.float32)[np.asarray(image)] * field
    grey += rng.standard_normal(grey.shape, np.float32) * np.float32(rng.uniform(0, recipe.noise))
    return Image.fromarray(np.clip(grey, 0, 255, out=grey).astype(np.uint8), "L")
