"""Regions of photographs, each a sample of its own: words or lines cut out upright, to learn reading from."""

from __future__ import annotations

import logging
from array import array
from collections import Counter
from random import Random

import numpy as np
from PIL import Image

from data_tools.checks import check_one_of, check_range
from data_tools.errors import UserError
from data_tools.images import to_channels
from data_tools.photos.cutting import cut_outline, is_tall, lay_down
from data_tools.photos.lines import join_lines
from data_tools.polygons import area, clip, is_simple
from data_tools.readers import regions_of
from data_tools.readers.scenes.base import UNKNOWN
from data_tools.sample import CorruptSample, Reader, Region, Sample

logger = logging.getLogger(__name__)

UNITS = ("words", "lines")
ANGLE = "angle"
"""The further text of a sample that says by how many degrees it was turned."""
_WORD = 3
"""Texts of as many characters are higher than wide only where they are turned."""
_INSIDE = 0.5
"""A region of which less than this share is in the picture is not cut out."""


class CutRegions:
    """The legible regions of a reader's photographs as a Reader: a picture each, its text, and a key `PHOTOGRAPH#N`.

    With `unit` lines, words of a line are joined first. The share `turned` of them, by `seed`, stands on its head, and
    each says so in `extra["angle"]`, 0 or 180. What is not cut out is counted in `skipped`, photographs that cannot be
    used are named in the log. Raises UserError where there is no region at all.
    """

    def __init__(self, reader: Reader, unit: str = "words", turned: float = 0.0, seed: int = 0):
        check_one_of("--unit", unit, UNITS)
        check_range("--turned", turned, 0, 1)
        self.reader, self.unit, self.turned, self.seed = reader, unit, turned, seed
        self.skipped: Counter[str] = Counter()
        self._photographs, self._places = array("I"), array("I")  # SynthText has seven million
        for photograph in range(len(reader)):
            places = [n for n, region in enumerate(self._regions(photograph)) if self._is_wanted(region)]
            self._photographs.extend([photograph] * len(places))
            self._places.extend(places)
        if not self._places:
            raise UserError(f"not one legible region in {len(reader)} photographs; there is nothing to cut out")
        self._open: tuple[int, str, np.ndarray, tuple[Region, ...]] | None = None

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Sample:
        photograph, place = self._photographs[index], self._places[index]
        name, pixels, regions = self._see(photograph)
        key, region = f"{name}#{place + 1}", regions[place]
        _check(region, pixels.shape[1], pixels.shape[0], key)
        picture = cut_outline(pixels, _read_along(region))
        if not self.turned:
            return Sample(Image.fromarray(picture), region.text, key)
        angle = 180 * (Random(f"crops {self.seed} {index}").random() < self.turned)
        picture = np.ascontiguousarray(picture[::-1, ::-1]) if angle else picture
        return Sample(Image.fromarray(picture), region.text, key, {ANGLE: str(angle)})

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_open": None}

    def _see(self, photograph: int) -> tuple[str, np.ndarray, tuple[Region, ...]]:
        """A photograph's name, pixels and regions; the last one is kept, since its regions come one after another."""
        if self._open is None or self._open[0] != photograph:
            sample = self.reader[photograph]
            pixels = np.asarray(to_channels(sample.image, 3))
            self._open = photograph, sample.key, pixels, self._arrange(sample.regions)
        return self._open[1:]

    def _regions(self, photograph: int) -> tuple[Region, ...]:
        try:
            return self._arrange(regions_of(self.reader, photograph))
        except CorruptSample as corrupt:
            self.skipped["photographs that cannot be used"] += 1
            logger.warning("left out %s: %s", corrupt.key, corrupt.why)
            return ()

    def _arrange(self, regions: tuple[Region, ...]) -> tuple[Region, ...]:
        return join_lines(regions) if self.unit == "lines" else regions

    def _is_wanted(self, region: Region) -> bool:
        why = "not legible" if not region.legible else "of unknown text" if region.text == UNKNOWN else ""
        self.skipped[why] += bool(why)
        return not why


def _read_along(region: Region) -> np.ndarray:
    """A word's outline from its top left as read: some sets begin at the top left as seen, and a tall one is then taken
    for text that runs up, as when photographs are read.
    """
    is_seen = len(region.polygon) == 4 and len(region.text) >= _WORD and is_tall(region.polygon)
    return lay_down(region.polygon) if is_seen else region.polygon


def _check(region: Region, width: int, height: int, key: str) -> None:
    """Raises CorruptSample where nothing sensible would be cut out."""
    if not is_simple(region.polygon):
        raise CorruptSample(key, "its outline crosses itself", "label")
    is_huge = (np.ptp(region.polygon, axis=0) > 2 * max(width, height)).any()  # a spike, of no area to speak of
    if is_huge or sum(map(area, clip(region.polygon, width, height))) < _INSIDE * area(region.polygon):
        raise CorruptSample(key, "it lies outside of the picture", "label")
