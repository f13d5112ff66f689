"""The SVG that verovio makes of one staff -> pixels, without a general SVG renderer: several times as fast as one.

A staff is made of few shapes: glyphs that come again and again, straight lines, beams, dots, ties. A glyph is drawn
once by resvg for each place between pixels (tenths of a pixel, fifths where edges are smooth) and kept; lines and beams
are computed; all is laid over each other as shades of see-through paper (1 paper, 0 ink), which are multiplied.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image

from data_tools.music.notation import MusicError

UNITS = 180
"""Units of verovio's SVG between two staff lines."""
_PHASES = {False: 10, True: 5}  # places between two pixels that glyphs are drawn at: crisp ones, smooth ones
_KEPT = 16384  # so many drawn glyphs are kept: a training draws 9,000 in three sizes; some 1 to 5 KB each
_COARSE = 0.02  # pixels in a unit when a glyph's bounds are looked for
_SLASH = 400  # the longest slanted line, across and down: the slash of a grace note
_REACH = (-1500, -3000, 3500, 3000)  # no glyph lies outside, in its own units: left, top, right, bottom

_GLYPH = re.compile(r'<g id="(E[0-9A-F]+-\w+)">\s*<path transform="scale\(1,-1\)" d="([^"]+)"')
_HIDDEN = re.compile(r"<g [^>]*placeholder[^>]*>\s*<ellipse[^>]*>")
_TAG = re.compile(r"<(?!g\b|/|svg\b)(\w+)([^>]*)>")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_SIZE = re.compile(r'<svg width="(\d+)px" height="(\d+)px"')

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Glyph:
    """An outline (SVG path data, y upwards) `scale` times its size, its origin at (x, y)."""

    outline: str
    x: float
    y: float
    scale: float


@dataclass(frozen=True)
class Curve:
    """A tie or slash: SVG path data from the origin on, filled and drawn `width` wide; it lies within `bounds`."""

    outline: str
    x: float
    y: float
    width: float
    bounds: Box


@dataclass(frozen=True)
class Beam:
    """A figure between two upright sides: left and right end, heights (top, bottom) there; a line or box if level."""

    left: float
    right: float
    at_left: tuple[float, float]
    at_right: tuple[float, float]


@dataclass(frozen=True)
class Drawing:
    """What is on the page, in units of the SVG; `staff` the heights of the staff's lines."""

    width: float
    height: float
    shapes: list[Glyph | Curve | Beam]
    staff: list[float]


def read(svg: str) -> Drawing:
    """verovio's SVG as shapes; raises MusicError for anything that a staff of PrIMuS's kind has not, named."""
    size, outlines = _SIZE.search(svg), dict(_GLYPH.findall(svg))
    start = svg.find('class="page-margin"')
    if size is None or start < 0:
        raise MusicError("verovio drew no page")
    reader = _Reader(outlines)
    for tag, text in _TAG.findall(_HIDDEN.sub("", svg[start:])):
        reader.add(tag, text.split('"')[1::2])
    if len(reader.staff) < 5:
        raise MusicError("verovio drew no staff")
    return Drawing(int(size[1]) * 10, int(size[2]) * 10, [*reader.shapes, *reader.level_lines()], reader.staff)


class _Reader:
    def __init__(self, outlines: dict[str, str]) -> None:
        self.outlines = outlines
        self.shapes: list[Glyph | Curve | Beam] = []
        self.staff: list[float] = []
        self.levels: dict[tuple[float, float], list[list[float]]] = {}  # (height, width) -> runs from left to right

    def add(self, tag: str, values: Sequence[str]) -> None:
        """One element, by the values of its attributes in verovio's order."""
        numbers = [float(number) for value in values[tag == "use" :] for number in _NUMBER.findall(value)]
        match tag, len(numbers):
            case "use", 4 if values[0][1:] in self.outlines:
                self.shapes.append(Glyph(self.outlines[values[0][1:]], numbers[0], numbers[1], numbers[2]))
            case "path", 5:
                self._line(*numbers)
            case "path", 15:
                self._tie(numbers[:-1], numbers[-1])
            case "polygon", 8 if numbers[0] == numbers[6] and numbers[2] == numbers[4]:
                self._polygon(numbers)
            case "ellipse", 4:
                x, y, across, down = numbers
                self.shapes.append(Glyph(_ellipse(across, down), x, y, 1.0))
            case "rect", 4:
                x, y, height, width = numbers
                self.shapes.append(_box(x - 0.5, x + width + 0.5, y - 0.5, y + height + 0.5))
            case _:
                raise MusicError(f"verovio drew a <{tag}> that the picture of a staff has not")

    def _line(self, x: float, y: float, end: float, low: float, width: float) -> None:
        if y == low:
            self.staff += [y] * (len(self.staff) < 5)
            runs = self.levels.setdefault((y, width), [])
            if runs and runs[-1][1] == x:  # a staff line goes on in the next measure
                runs[-1][1] = end
            else:
                runs.append([x, end])
        elif x == end:
            self.shapes.append(_box(x - width / 2, x + width / 2, min(y, low), max(y, low)))
        elif max(abs(end - x), abs(low - y)) > _SLASH:
            raise MusicError("verovio drew a slanted line that the picture of a staff has not")
        else:
            edges = sorted((0, end - x)), sorted((0, low - y))
            bounds = (edges[0][0] - width, edges[1][0] - width, edges[0][1] + width, edges[1][1] + width)
            self.shapes.append(Curve(f"M0 0L{end - x} {low - y}", x, y, width, bounds))

    def level_lines(self) -> Iterator[Beam]:
        """Staff lines and ledger lines, whole."""
        for (height, width), runs in self.levels.items():
            for left, right in runs:
                yield _box(left, right, height - width / 2, height + width / 2)

    def _polygon(self, numbers: Sequence[float]) -> None:
        """A beam, and the hair line (1 unit) that verovio's style draws around it."""
        (left, right), (a, b, c, d) = (numbers[0], numbers[2]), numbers[1::2]
        sides = [(min(ends) - 0.5, max(ends) + 0.5) for ends in ((a, d), (b, c))]
        self.shapes.append(Beam(left - 0.5, right + 0.5, *sides))

    def _tie(self, numbers: Sequence[float], width: float) -> None:
        x, y = numbers[:2]
        moved = [round(number - (y if place % 2 else x), 3) for place, number in enumerate(numbers)]
        outline = "M{} {}C{} {} {} {} {} {}C{} {} {} {} {} {}Z".format(*moved)
        across, down, edge = moved[::2], moved[1::2], width
        bounds = (min(across) - edge, min(down) - edge, max(across) + edge, max(down) + edge)
        self.shapes.append(Curve(outline, x, y, width, bounds))


def _box(left: float, right: float, top: float, bottom: float) -> Beam:
    return Beam(left, right, (top, bottom), (top, bottom))


def _ellipse(across: float, down: float) -> str:
    return f"M{-across} 0A{across} {down} 0 1 0 {across} 0A{across} {down} 0 1 0 {-across} 0Z"


def draw(drawing: Drawing, staff_space: float, smooth: bool, top: int, height: int) -> np.ndarray:
    """Rows `top` to `top + height` of the page at `staff_space` pixels between lines: 1 paper, 0 ink (height, W).

    float32 where `smooth`; else uint8, a pixel is ink where its middle is.
    """
    width = math.ceil(drawing.width * staff_space / UNITS)
    canvas = _Canvas(np.ones((height, width), np.float32 if smooth else np.uint8), staff_space / UNITS, top, smooth)
    for shape in drawing.shapes:
        match shape:
            case Glyph():
                canvas.glyph(shape)
            case Beam():
                canvas.beam(shape)
            case Curve():
                canvas.curve(shape)
    return canvas.paper


class _Canvas:
    def __init__(self, paper: np.ndarray, zoom: float, top: int, smooth: bool) -> None:
        self.paper, self.zoom, self.top, self.smooth = paper, zoom, top, smooth
        self.phases = _PHASES[smooth]

    def glyph(self, glyph: Glyph) -> None:
        column, across = self._place(glyph.x * self.zoom)
        row, down = self._place(glyph.y * self.zoom - self.top)
        zoom = glyph.scale * self.zoom
        self._lay(*_kept_stamp(glyph.outline, round(zoom, 6), across, down, self.smooth), column, row)

    def curve(self, curve: Curve) -> None:
        column, across = self._place(curve.x * self.zoom)
        row, down = self._place(curve.y * self.zoom - self.top)
        matrix = (self.zoom, self.zoom, across, down)
        self._lay(*_stamp(curve.outline, curve.width, curve.bounds, matrix, self.smooth), column, row)

    def _place(self, pixels: float) -> tuple[int, float]:
        """Whole pixels, and the part of one that is nearest among those that glyphs are drawn at."""
        whole, part = divmod(round(pixels * self.phases), self.phases)
        return whole, part / self.phases

    def _lay(self, stamp: np.ndarray, left: int, top: int, column: int, row: int) -> None:
        column, row = column + left, row + top
        x, y = max(column, 0), max(row, 0)
        part = self.paper[y : max(row + stamp.shape[0], 0), x : max(column + stamp.shape[1], 0)]
        part *= stamp[y - row : y - row + part.shape[0], x - column : x - column + part.shape[1]]

    def beam(self, beam: Beam) -> None:
        left, right = beam.left * self.zoom, beam.right * self.zoom
        sides = [y * self.zoom - self.top for side in (beam.at_left, beam.at_right) for y in side]
        if beam.at_left == beam.at_right:
            self._rectangle(left, right, *sides[:2])
        else:
            self._slanted(left, right, *sides)

    def _rectangle(self, left: float, right: float, top: float, bottom: float) -> None:
        if not self.smooth:
            first, last, start, stop = (max(0, math.ceil(edge - 0.5)) for edge in (left, right, top, bottom))
            self.paper[start:stop, first:last] = 0
            return
        for first, last, here in _runs(left, right):
            for start, stop, share in _runs(top, bottom):
                if first < last and start < stop:
                    self.paper[start:stop, first:last] *= np.float32(1 - here * share)

    def _slanted(self, left: float, right: float, a: float, b: float, c: float, d: float) -> None:
        """Heights (a, b) at the left, (c, d) at the right end."""
        first, last = max(0, math.floor(left)), min(self.paper.shape[1], math.ceil(right))
        start, stop = max(0, math.floor(min(a, c))), min(self.paper.shape[0], math.ceil(max(b, d)))
        if first >= last or start >= stop:
            return
        columns, rows = np.arange(first, last), np.arange(start, stop)[:, None]
        way = np.clip((columns + 0.5 - left) / (right - left), 0, 1)
        top, bottom = a + (c - a) * way, b + (d - b) * way
        if self.smooth:
            cover = np.clip(np.minimum(rows + 1, bottom) - np.maximum(rows, top), 0, 1)
            cover *= np.minimum(columns + 1, right) - np.maximum(columns, left)
        else:
            cover = (rows + 0.5 >= top) & (rows + 0.5 < bottom) & (columns + 0.5 >= left) & (columns + 0.5 < right)
        self.paper[start:stop, first:last] *= (1 - cover).astype(self.paper.dtype)


def _runs(low: float, high: float) -> list[tuple[int, int, float]]:
    """The pixels from `low` to `high`, as runs (first, last + 1, how much of each is covered); none is negative."""
    first, last = math.floor(low), math.floor(high)
    if first == last:
        runs = [(first, first + 1, high - low)]
    else:
        runs = [(first, first + 1, first + 1 - low), (first + 1, last, 1.0), (last, last + 1, high - last)]
    return [(max(0, start), max(0, stop), share) for start, stop, share in runs]


@lru_cache(_KEPT)
def _kept_stamp(outline: str, zoom: float, across: float, down: float, smooth: bool) -> tuple[np.ndarray, int, int]:
    return _stamp(outline, 1.0, _bounds(outline), (zoom, -zoom, across, down), smooth)


@lru_cache(_KEPT)
def _bounds(outline: str) -> Box:
    """Where a glyph lies, in its own units, a little too wide: left, lowest, right, highest."""
    left, low, right, high = _REACH
    coarse, width, height = _COARSE, (right - left) * _COARSE, (high - low) * _COARSE
    drawn = _raster(outline, 1.0, (coarse, coarse, -left * coarse, -low * coarse), round(width), round(height), True)
    rows, columns = np.nonzero(drawn < 255)
    if not len(rows):
        return 0, 0, 0, 0
    edge = 1 / coarse
    x, end = left + columns.min() / coarse - edge, left + columns.max() / coarse + 2 * edge
    y, top = low + rows.min() / coarse - edge, low + rows.max() / coarse + 2 * edge
    return float(x), float(y), float(end), float(top)


def _stamp(outline: str, width: float, bounds: Box, matrix: Box, smooth: bool) -> tuple[np.ndarray, int, int]:
    """(paper, left, top): a shape's picture, cropped, and where it lies from the whole pixel of its origin.

    `matrix` is (scale x, scale y, shift x, shift y) from the shape's units to pixels.
    """
    scale_x, scale_y, x, y = matrix
    across = sorted((bounds[0] * scale_x + x, bounds[2] * scale_x + x))
    down = sorted((bounds[1] * scale_y + y, bounds[3] * scale_y + y))
    left, top = math.floor(across[0]), math.floor(down[0])
    size = (math.ceil(across[1]) - left + 1, math.ceil(down[1]) - top + 1)
    drawn = _raster(outline, width, (scale_x, scale_y, x - left, y - top), *size, smooth)
    columns, rows = np.flatnonzero(drawn.min(axis=0) < 255), np.flatnonzero(drawn.min(axis=1) < 255)
    if not len(columns):
        return np.ones((0, 0), np.uint8), 0, 0
    inked = drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    paper = inked.astype(np.float32) / 255 if smooth else (inked >= 128).astype(np.uint8)
    return paper, left + int(columns[0]), top + int(rows[0])


def _raster(outline: str, stroke: float, matrix: Box, width: int, height: int, smooth: bool) -> np.ndarray:
    """A path filled and stroked in black on white: uint8 (height, width)."""
    import resvg_py

    scale_x, scale_y, x, y = matrix
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"><path stroke="#000" '
        f'stroke-width="{stroke}" stroke-linejoin="round" transform="matrix({scale_x:.6f} 0 0 {scale_y:.6f} '
        f'{x:.4f} {y:.4f})" d="{outline}"/></svg>'
    )
    content = resvg_py.svg_to_bytes(
        svg_string=svg,
        background="white",
        skip_system_fonts=True,
        shape_rendering="geometric_precision" if smooth else "crisp_edges",
    )
    with Image.open(BytesIO(content)) as image:
        return np.asarray(image.getchannel("R"))
