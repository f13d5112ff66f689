"""Staves photographed at any angle, in perspective: how many are found and read, beside the same ones as they lie flat.

A staff is read exactly where all its symbols are right; the symbol error rate is all edits over all symbols.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image
from rapidfuzz.distance import Levenshtein

from data_tools.errors import UserError
from data_tools.scores import RenderedScores
from data_tools.scores.camera import CameraRecipe, light
from omr.reading import ScoreReader

_MARGIN = 90
_LIGHT = CameraRecipe(strength=0.5)
_TILT = 25.0
"""Degrees, at most, by which a camera looks from aslant."""
_DISTANCE = 2.2
"""Of the camera, in lengths of the sheet's longer side: at most its ends differ by a fifth in size."""
ON_A_PAGE = (4, 7)
"""Staves of a page, from and to."""


@dataclass(frozen=True)
class Sheet:
    """A sheet of paper with staves, and their labels from top to bottom."""

    picture: Image.Image
    labels: list[list[str]]


def compose_sheets(seed: int, staves: int, pages: int) -> Iterator[Sheet]:
    """`staves` sheets of one staff, then `pages` of several; scores of `seed`."""
    scores, rng, used = RenderedScores(seed, staves + pages * ON_A_PAGE[1]), np.random.default_rng(seed), 0
    for order in range(staves + pages):
        count = 1 if order < staves else int(rng.integers(*ON_A_PAGE, endpoint=True))
        samples = [scores[used + place] for place in range(count)]
        used += count
        yield Sheet(_paste(samples), [sample.text.split() for sample in samples])


def _paste(samples: Sequence) -> Image.Image:
    images = [sample.image.convert("L") for sample in samples]
    size = (max(image.width for image in images), sum(image.height + _MARGIN for image in images))
    sheet, top = Image.new("L", (size[0] + 2 * _MARGIN, size[1] + _MARGIN), 255), _MARGIN
    for image in images:
        sheet.paste(image, (_MARGIN, top))
        top += image.height + _MARGIN
    return sheet


def photograph_flat(sheet: Sheet, rng: np.random.Generator) -> Image.Image:
    """The sheet as it lies, in some light."""
    return light(sheet.picture, rng, _LIGHT)


def photograph_turned(sheet: Sheet, rng: np.random.Generator) -> Image.Image:
    """The sheet in some light, from aslant and turned by any angle; the whole of it is in the picture."""
    width, height = sheet.picture.size
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    moved = _project(corners - corners.mean(axis=0), rng)
    moved = (moved - moved.min(axis=0)).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(corners, moved)
    size = tuple(int(side) + 1 for side in moved.max(axis=0))
    turned = cv2.warpPerspective(np.asarray(sheet.picture), matrix, size, flags=cv2.INTER_LINEAR, borderValue=255)
    return light(Image.fromarray(turned), rng, _LIGHT)


def _project(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(N, 2) points of a plane as a pinhole camera sees them: the plane tilted about any axis, the camera turned."""
    axis, roll = rng.uniform(0, 2 * np.pi, 2)
    tilt = np.deg2rad(rng.uniform(0, _TILT))
    along, across = (points @ _rotation(axis).T).T
    away = _DISTANCE * np.ptp(points, axis=0).max()
    scale = away / (away + across * np.sin(tilt))
    seen = np.stack([along * scale, across * np.cos(tilt) * scale], axis=1)
    return seen @ _rotation(roll - axis)


def _rotation(angle: float) -> np.ndarray:
    return np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])


@dataclass
class Tally:
    """What became of the staves of one kind of photograph."""

    staves: int = 0
    found: int = 0
    spare: int = 0  # readings of what is no staff of the sheet, or of one that was read already
    exact: int = 0
    edits: int = 0
    symbols: int = 0

    def add(self, labels: Sequence[list[str]], readings: list[list[str]]) -> None:
        """The staves of one picture, in order or not: each has the reading that is nearest to it."""
        self.staves += len(labels)
        self.found += min(len(labels), len(readings))
        self.spare += max(0, len(readings) - len(labels))
        self.symbols += sum(map(len, labels))
        left, open_labels = list(readings), list(labels)
        while open_labels:
            pairs = [(Levenshtein.distance(a, b), i, j) for i, a in enumerate(open_labels) for j, b in enumerate(left)]
            if not pairs:
                self.edits += sum(map(len, open_labels))
                return
            distance, one, other = min(pairs)
            self.exact += distance == 0
            self.edits += distance
            del open_labels[one], left[other]

    def figures(self) -> dict:
        """Shares in percent."""
        share = {name: round(100 * getattr(self, name) / max(1, self.staves), 2) for name in ("found", "exact")}
        ser = round(100 * self.edits / max(1, self.symbols), 2)
        return {"staves": self.staves, "spare": self.spare, **share, "ser": ser}


def measure_angles(reader: ScoreReader, seed: int, staves: int, pages: int) -> dict[str, dict]:
    """Figures of single staves and of pages, flat and turned."""
    tallies: dict[str, Tally] = {}
    for order, sheet in enumerate(compose_sheets(seed, staves, pages)):
        kind = "staves" if len(sheet.labels) == 1 else "pages"
        for name, photograph in (("flat", photograph_flat), ("turned", photograph_turned)):
            picture = photograph(sheet, np.random.default_rng((seed, order, name == "turned")))
            try:
                readings = [staff.semantic for staff in reader.read_page(picture)]
            except UserError:
                readings = []
            tallies.setdefault(f"{kind}, {name}", Tally()).add(sheet.labels, readings)
    return {name: tally.figures() for name, tally in tallies.items()}
