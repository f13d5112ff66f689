"""What a data set holds: counts, labels, characters, sizes, bad samples; and a contact sheet to look at."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw
from tqdm import tqdm

from data_tools.errors import UserError
from data_tools.images import to_channels
from data_tools.polygons import is_simple, leaves
from data_tools.sample import CorruptSample, Reader, Region, Sample
from data_tools.words.fonts import caption_font
from data_tools.workers import Pool

_PER_JOB = 64
_NAMED = 100
REGIONS = ("all", "legible", "outside", "crossing")
_SAID = {"outside": "leaves the picture", "crossing": "crosses itself"}


@dataclass
class Inspection:
    """What was counted; `sizes` by (width, height), `lengths` by characters (or symbols) of a label or a region's text.

    `regions` of photographs are counted by what they are (all, legible, outside of the picture, crossing themselves),
    `flaws` are parts of annotations that were left out, by reason; `flawed` names these and the odd regions.
    """

    seen: int = 0
    lengths: Counter[int] = field(default_factory=Counter)
    characters: Counter[str] = field(default_factory=Counter)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    labels: set[str] = field(default_factory=set)
    bad: Counter[str] = field(default_factory=Counter)
    named: list[tuple[str, str]] = field(default_factory=list)
    regions: Counter[str] = field(default_factory=Counter)
    flaws: Counter[str] = field(default_factory=Counter)
    flawed: list[tuple[str, str]] = field(default_factory=list)

    @property
    def good(self) -> int:
        """Samples that can be used."""
        return self.seen - self.bad.total()

    def add(self, part: Inspection) -> None:
        """Counts another part of the same set in."""
        self.seen += part.seen
        for name in ("lengths", "characters", "sizes", "modes", "bad", "regions", "flaws"):
            getattr(self, name).update(getattr(part, name))
        self.labels |= part.labels
        self.named = (self.named + part.named)[:_NAMED]
        self.flawed = (self.flawed + part.flawed)[:_NAMED]

    def to_json(self) -> dict:
        """The figures as a JSON document; quantiles are (least, 5%, median, 95%, greatest)."""
        widths, heights = Counter(), Counter()
        for (width, height), count in self.sizes.items():
            widths[width] += count
            heights[height] += count
        return {
            "n": self.seen,
            "good": self.good,
            "bad": dict(self.bad),
            "bad_samples": [{"key": key, "why": why} for key, why in self.named],
            "distinct_labels": len(self.labels),
            "label_length": _quantiles(self.lengths),
            "label_lengths": dict(sorted(self.lengths.items())),
            "characters": dict(self.characters.most_common()),
            "width": _quantiles(widths),
            "height": _quantiles(heights),
            "modes": dict(self.modes.most_common()),
            "regions": {name: self.regions[name] for name in REGIONS} if self.regions or self.flaws else {},
            "flaws": dict(self.flaws),
            "flawed": [{"key": key, "why": why} for key, why in self.flawed],
        }


def inspect(reader: Reader, *, workers: int = 0, symbols: bool = False) -> Inspection:
    """Looks at every sample of `reader`, decoding every picture; the same for any number of workers.

    With `symbols`, labels are taken apart at white space (music) in place of into characters. Progress goes to stderr.
    """
    pool = Pool(_Inspect(reader, symbols), workers)
    jobs = ((at, min(at + _PER_JOB, len(reader))) for at in range(0, len(reader), _PER_JOB))
    whole = Inspection()
    try:
        with tqdm(total=len(reader), desc="inspect", unit=" samples", disable=None) as bar:
            for part in pool.run(jobs):
                whole.add(part)
                bar.update(part.seen)
    finally:
        pool.close()
    return whole


@dataclass(frozen=True)
class _Inspect:
    """A worker's task: positions of a reader to what is there."""

    reader: Reader
    symbols: bool

    def __call__(self, start: int, stop: int) -> Inspection:
        part = Inspection()
        for index in range(start, stop):
            part.seen += 1
            try:
                sample = self.reader[index]
            except CorruptSample as corrupt:
                part.bad[corrupt.why] += 1
                part.named.append((corrupt.key, corrupt.why))
                continue
            part.sizes[sample.image.size] += 1
            part.modes[sample.image.mode] += 1
            photograph = sample.regions or sample.flaws
            for text in [each.text for each in sample.regions if each.legible] if photograph else [sample.text]:
                units = text.split() if self.symbols else text
                part.lengths[len(units)] += 1
                part.characters.update(units)
                part.labels.add(text)
            _count_regions(part, sample)
        return part


def _count_regions(part: Inspection, sample: Sample) -> None:
    """Counts a photograph's regions, and names what is odd about it."""
    for place, why in sample.flaws:
        part.flaws[why] += 1
        part.flawed.append((f"{sample.key}: {place}", why))
    for number, region in enumerate(sample.regions, 1):
        odd = {"outside": leaves(region.polygon, *sample.image.size), "crossing": not is_simple(region.polygon)}
        part.regions.update({"all": 1, "legible": int(region.legible), **{name: int(odd[name]) for name in odd}})
        part.flawed += [(f"{sample.key}: region {number}", _SAID[name]) for name in odd if odd[name]]


def contact_sheet(reader: Reader, count: int = 64, columns: int = 8, cell: tuple[int, int] = (160, 48)) -> Image.Image:
    """Up to `count` samples evenly taken from the set, each in a cell of (width, height) with its label below.

    Raises UserError where `count` or `columns` is less than 1; samples that cannot be used show their reason in red.
    """
    if count < 1 or columns < 1:
        raise UserError(f"a contact sheet of {count} samples in {columns} columns cannot be drawn")
    places = sorted({int(place) for place in np.linspace(0, len(reader) - 1, min(count, len(reader)))})
    return sheet_of([_look(reader, place) for place in places], columns, cell)


def sheet_of(
    pictures: Sequence[tuple[Image.Image | None, str]], columns: int = 8, cell: tuple[int, int] = (160, 48)
) -> Image.Image:
    """Pictures with a caption below each (red where there is no picture), in cells of (width, height)."""
    columns = min(columns, len(pictures))
    caption, gap = 16, 6
    step = cell[0] + gap, cell[1] + caption + gap
    sheet = Image.new("RGB", (columns * step[0] + gap, math.ceil(len(pictures) / columns) * step[1] + gap), "white")
    for number, picture in enumerate(pictures):
        corner = gap + number % columns * step[0], gap + number // columns * step[1]
        _draw_cell(sheet, corner, cell, *picture)
    return sheet


def _look(reader: Reader, place: int) -> tuple[Image.Image | None, str]:
    try:
        sample = reader[place]
    except CorruptSample as corrupt:
        return None, corrupt.why
    return draw_regions(to_channels(sample.image, 3), sample.regions), sample.text


def draw_regions(image: Image.Image, regions: Sequence[Region]) -> Image.Image:
    """The picture with the outlines of its regions: green, or red for what nobody is to read."""
    if not regions:
        return image
    image, width = image.copy(), max(1, round(max(image.size) / 300))
    draw = ImageDraw.Draw(image)
    for region in regions:
        colour = (0, 170, 0) if region.legible else (200, 0, 0)
        draw.polygon([tuple(map(float, point)) for point in region.polygon], outline=colour, width=width)
    return image


def _draw_cell(sheet: Image.Image, corner: tuple[int, int], cell: tuple[int, int], image, caption: str) -> None:
    if image is not None:
        scale = min(cell[0] / image.width, cell[1] / image.height)
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        sheet.paste(image.resize(size, Image.Resampling.BICUBIC), corner)
    draw, font = ImageDraw.Draw(sheet), caption_font(11)
    while len(caption) > 1 and draw.textlength(caption, font) > cell[0]:
        caption = caption[:-2] + "…"
    draw.text((corner[0], corner[1] + cell[1] + 1), caption, "black" if image is not None else "red", font)


def _quantiles(counts: Counter[int]) -> list[int]:
    """(least, 5%, median, 95%, greatest) of counted values; empty where there are none."""
    values = sorted(counts)
    if not values:
        return []
    reached = np.cumsum([counts[value] for value in values])
    return [values[int(np.searchsorted(reached, share * reached[-1]))] for share in (0, 0.05, 0.5, 0.95, 1)]


def histogram(counts: Iterable[tuple[object, int]], width: int = 40) -> list[str]:
    """Lines of a bar chart in text."""
    counts = list(counts)
    most = max((count for _, count in counts), default=1)
    return [f"  {name!s:>6} {count:>9} {'█' * round(width * count / most)}" for name, count in counts]
