"""Which way up a picture of music is: negatives made positive, staves turned level whatever their angle.

The angle of staff lines is that at which the ink, summed along lines of it, is sharpest (the projection profiles of
W. Postl, "Detection of linear oblique structures and skew scan in digitized documents", ICPR 1986), tile by tile, since
perspective turns the lines of a page apart. Whether a level staff stands on its head only reading it tells.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import cv2
import numpy as np
from PIL import Image, ImageOps

from data_tools.images import to_channels
from data_tools.scores.framing import Staff
from data_tools.scores.levelling import levelled
from omr.ink import NoStaff, binarise
from omr.staves import find_blurred, find_on_paper, find_sharp

_SIZE = 1000  # pixels of the longer side, where the angle is looked for
_TILES = 3
_POINTS = 4000  # of ink, in each tile
_CANDIDATES, _APART = 3, 12  # angles tried, and degrees between them at least
_LEVEL = 3.0  # degrees that `find_staves` takes as they are


def find_upright(image: Image.Image) -> tuple[Image.Image, list[Staff]]:
    """(picture, its staves from top to bottom): black on white paper, mode L, turned so that the staves are level.

    Raises NoStaff where there is none at any angle.
    """
    grey = to_channels(image, 1)
    paper = levelled(ImageOps.invert(grey) if is_negative(grey) else grey)
    found: list[tuple[Image.Image, list[Staff]]] = []
    for find in (find_sharp, find_blurred):
        with suppress(NoStaff):
            staves, all_of_them = find(paper)
            if all_of_them:
                return paper, staves
            if find is find_sharp:  # blurred ones that are not all are no more than a guess
                found.append((paper, staves))
    turned = [turn(paper, angle) for angle in _angles(paper)]
    for picture in turned:
        with suppress(NoStaff):
            found.append((picture, find_sharp(picture)[0]))
    for picture in turned[:2] if not found else ():
        with suppress(NoStaff):
            found.append((picture, find_on_paper(picture)))
    if not found:
        raise NoStaff("no staff was found in the picture, at any angle; show five clear staff lines")
    return max(found, key=_worth)


def _worth(seen: tuple[Image.Image, list[Staff]]) -> tuple[bool, float]:
    """The better of two findings is the one with level staves, then the one with longer ones."""
    level = all(abs(staff.slope) < 0.08 for staff in seen[1])
    return level, sum(staff.right - staff.left for staff in seen[1])


def is_negative(grey: Image.Image) -> bool:
    """Whether the music is light on dark: paper is what most of the picture is."""
    counts = np.cumsum(grey.histogram())
    low, middle, high = np.searchsorted(counts, counts[-1] * np.array((0.005, 0.5, 0.995)))
    return bool(high - low > 24 and middle - low < high - middle)


def turn(paper: Image.Image, angle: float) -> Image.Image:
    """The picture turned counter-clockwise by `angle` degrees, as large as it needs, on white."""
    return paper.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=255) if angle else paper


def _angles(paper: Image.Image) -> list[float]:
    """How far to turn the picture, the likeliest first: no further where that levels it nearly."""
    angles = staff_angles(paper)
    return [0.0, *angles] if angles and abs(angles[0]) <= _LEVEL else [*angles, 0.0]


def staff_angles(paper: Image.Image) -> list[float]:
    """Turns in degrees (-90 to 90, counter-clockwise) that may level the lines of a picture, the likeliest first."""
    scale = min(1.0, _SIZE / max(paper.size))
    size = (max(1, round(paper.width * scale)), max(1, round(paper.height * scale)))
    tiles = list(_tiles(_thin(binarise(paper.resize(size, Image.Resampling.BOX)))))
    coarse = np.arange(-90.0, 90.0, 1.0)
    worth, angles = _sharpness(tiles, coarse), []
    while tiles and len(angles) < _CANDIDATES:
        best = coarse[int(np.argmax(worth))]
        worth[np.abs((coarse - best + 90) % 180 - 90) < _APART] = -1
        for reach in (1.0, 0.2):
            fine = best + np.linspace(-reach, reach, 11)
            best = fine[int(np.argmax(_sharpness(tiles, fine)))]
        angles.append(float(best))
    return angles


def _thin(dark: np.ndarray) -> np.ndarray:
    """The ink without what is thicker than most strokes: edges of the paper, note heads."""
    inside = dark[1:-1, 1:-1] & dark[:-2, 1:-1] & dark[2:, 1:-1] & dark[1:-1, :-2] & dark[1:-1, 2:]
    edges = np.count_nonzero(dark) - np.count_nonzero(inside)
    size = 2 * int(np.count_nonzero(dark) / max(1, edges) * 2 + 0.5) + 1  # a stroke t wide has edges / area = 2 / t
    thick = cv2.erode(dark.astype(np.uint8), np.ones((size, size), np.uint8))
    return dark & (cv2.dilate(thick, np.ones((size + 4, size + 4), np.uint8)) == 0)


def _tiles(dark: np.ndarray) -> Iterator[np.ndarray]:
    """(2, N) rows and columns of ink in each part of the picture, anywhere within their pixels."""
    rng = np.random.default_rng(0)
    for band in np.array_split(np.arange(dark.shape[0]), min(_TILES, max(1, dark.shape[0] // 150))):
        for stripe in np.array_split(np.arange(dark.shape[1]), min(_TILES, max(1, dark.shape[1] // 150))):
            points = np.array(np.nonzero(dark[band[0] : band[-1] + 1, stripe[0] : stripe[-1] + 1]))
            if points.shape[1] > _POINTS:
                points = points[:, rng.choice(points.shape[1], _POINTS, replace=False)]
            if points.shape[1] >= 50:
                yield points + rng.uniform(-0.5, 0.5, points.shape)  # else the pixels' grid has angles of its own


def _sharpness(tiles: list[np.ndarray], angles: np.ndarray) -> np.ndarray:
    """How sharply ink is summed along lines of each angle: squares of neighbouring rows' differences."""
    totals = np.zeros(len(angles))
    for rows, columns in tiles:
        for place, angle in enumerate(np.deg2rad(angles)):
            heights = rows * np.cos(angle) - columns * np.sin(angle)
            counts = np.bincount(np.rint(heights - heights.min()).astype(int)).astype(float)
            totals[place] += (np.diff(counts, prepend=0, append=0) ** 2).sum()
    return totals
