"""Finding text in photographs with a trained detector: at one size, and again from closer where text is tiny."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from crnn_jt.decoding.regions import USUAL, Found, Rule, enlarge, find_regions
from crnn_jt.spec import DetectorSpec
from crnn_jt.weights import Weights, load_weights
from data_tools.images import to_channels
from data_tools.stopwatch import stage
from data_tools.transforms import normalise

LONGEST = 1280
"""A photograph's longer side is scaled down to this many pixels: larger ones take time, and text is rarely so small."""
LARGEST = 2000
"""What is larger, once scaled, is looked at in tiles, which bounds the memory of the network's maps."""
TILE, MARGIN = 1280, 128
"""A tile's side in pixels; what is nearer to a tile's inner edge is taken from its neighbour, which sees around it."""
TINY = 12.0
"""Text of which the median region is less high, in pixels as it was looked at, is looked at again from closer."""
SMALL, ENLARGED = 640, 2.0
"""A photograph with a longer side of that many pixels at most may be enlarged so much for it."""


@dataclass(frozen=True)
class Resolution:
    """At which size a photograph is looked at: a factor of its own pixels (0: as fits into `longest` pixels, never
    enlarged).
    """

    factor: float = 0.0
    longest: int = LONGEST

    def of(self, width: int, height: int) -> float:
        """The factor for a photograph of that size."""
        return self.factor or min(1.0, self.longest / max(width, height))

    def closer(self, width: int, height: int) -> Resolution | None:
        """At which a photograph with tiny text is looked at again: in full, a small one enlarged. None: it is not."""
        if self.factor:
            return None
        if self.of(width, height) < 1:
            return FULL
        return Resolution(ENLARGED) if max(width, height) <= SMALL else None


AUTOMATIC = Resolution()
FULL = Resolution(1.0)


@dataclass(frozen=True)
class Tile:
    """One side of a tile: pixels `begin` to `end` are looked at, of which `first` to `last` are taken."""

    begin: int
    end: int
    first: int
    last: int

    def inner(self, stride: int) -> slice:
        """What is taken, in the tile's own map."""
        return slice((self.first - self.begin) // stride, -(-(self.last - self.begin) // stride))

    def outer(self, stride: int) -> slice:
        """What is taken, in the map of the whole."""
        return slice(self.first // stride, -(-self.last // stride))


def cut_tiles(length: int) -> list[Tile]:
    """Tiles along one side of a photograph, of which what is taken covers it once. They begin at multiples of `MARGIN`,
    and so where the network's coarsest pixels do: text looks the same in each.
    """
    if length <= LARGEST:
        return [Tile(0, length, 0, length)]
    step = TILE - 2 * MARGIN
    begins = range(0, length - 2 * MARGIN, step)
    ends = [min(begin + TILE, length) for begin in begins]
    firsts = [begin + MARGIN if begin else 0 for begin in begins]
    return [Tile(*sides) for sides in zip(begins, ends, firsts, [*firsts[1:], length])]


def is_tiny(found: Sequence[Found], factor: float) -> bool:
    """Whether text that was found, in pixels of the photograph, was tiny as it was looked at, scaled by `factor`; also
    where none was found.
    """
    sides = [min(np.linalg.norm(f.quad[1] - f.quad[0]), np.linalg.norm(f.quad[3] - f.quad[0])) for f in found]
    return not sides or float(np.median(sides)) * factor < TINY


class TextDetector:
    """A detector ready to find text; `fast` False keeps to the framework's own operators. Raises UserError where the
    weights are of another kind of model.
    """

    def __init__(self, weights: Weights, name: str, fast: bool = True):
        from crnn_jt.freeze import try_freeze
        from crnn_jt.models import restore

        self.name = name
        self.model = restore(weights, name, "spotter" if weights.spec.kind == "spotter" else "detector")
        self.network = try_freeze(self.model, weights.arrays) if fast else None

    @property
    def spec(self) -> DetectorSpec:
        """The model's spec."""
        return self.model.spec

    def find(self, image: Image.Image, resolution: Resolution = AUTOMATIC, rule: Rule = USUAL) -> list[Found]:
        """The regions of text of a photograph, in its pixels, in no particular order."""
        factor, stride = resolution.of(*image.size), self.model.stride
        if not self.model.head.by_map:
            return self._find_at_once(image, factor)
        probability = self.probability(image, factor)
        scale = np.float32(stride / factor)
        with stage("contours"):
            found = find_regions(probability, replace(rule, side=rule.side / stride))
        return [enlarge(region, scale) for region in found]

    def _find_at_once(self, image: Image.Image, factor: float) -> list[Found]:
        """The regions, by a head whose answer cannot be joined of tiles."""
        from crnn_jt import backend

        pixels = np.asarray(self.scale(image, factor))
        with backend.no_grad():
            features = self.model.features(backend.ops.array(self._pad(pixels)))
        (found,) = self.model.find(features, np.array([pixels.shape[:2]]))
        return [enlarge(region, np.float32(1 / factor)) for region in found]

    def scale(self, image: Image.Image, factor: float) -> Image.Image:
        """The photograph scaled by a factor, in the model's channels."""
        size = tuple(max(1, round(side * factor)) for side in image.size)
        image = to_channels(image, self.spec.image.channels)
        return image if image.size == size else image.resize(size, Image.Resampling.BILINEAR)

    def probability(self, image: Image.Image, factor: float) -> np.ndarray:
        """The map of a photograph scaled by `factor`, float32 (H / stride, W / stride) of what it holds."""
        stride = self.model.stride
        with stage("resize"):
            image = self.scale(image, factor)
        width, height = image.size
        found = np.empty((-(-height // stride), -(-width // stride)), np.float32)
        for rows in cut_tiles(height):
            for columns in cut_tiles(width):
                part = self._look(np.asarray(image.crop((columns.begin, rows.begin, columns.end, rows.end))))
                inner = part[rows.inner(stride), columns.inner(stride)]
                found[rows.outer(stride), columns.outer(stride)] = inner
        return found

    def _look(self, pixels: np.ndarray) -> np.ndarray:
        """The map of pixels uint8 (h, w) or (h, w, C), with what was padded still at its end."""
        from crnn_jt import backend

        with backend.no_grad():
            if self.network is None:
                return self.model.probabilities(self._pad(pixels))[0]
            levels = pixels[:, :, None] if pixels.ndim == 2 else pixels
            with stage("network"):
                return self.network.run_levels(levels[None], *self._round_up(*levels.shape[:2]))[0, 0]

    def _pad(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels uint8 (h, w) or (h, w, C) as a batch float32 (1, C, H, W), H and W multiples the model can take."""
        pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
        channels, height, width = pixels.shape
        batch = np.zeros((1, channels, *self._round_up(height, width)), np.float32)
        for plane, levels in zip(batch[0, :, :height, :width], pixels):  # one by one: all at once is as much again
            plane[:] = normalise(levels)
        return batch

    def _round_up(self, *sides: int) -> list[int]:
        """Sides of a photograph as multiples that the model can take."""
        multiple = self.model.multiple
        return [-(-side // multiple) * multiple for side in sides]


def load(name: str | Path, fast: bool = True) -> TextDetector:
    """A detector by bundled name or weights file. Raises UserError."""
    return TextDetector(load_weights(name), str(name), fast)
