"""Words set as one line, with the gaps between them, and what stands around it: lines, cut-off words, rules.

Masks are uint8 (h, w), 255 where there is ink; lengths are pixels at which capitals are CAPITAL_HEIGHT high.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

import numpy as np

from data_tools.lines.recipe import Recipe
from data_tools.lines.writer import LineWriter
from data_tools.words.fonts import CAPITAL_HEIGHT, Font
from data_tools.words.lettering import Line, paste, set_letters

Placed = tuple[Line, int, int]
"""A set line, its left end and its base line."""
_PARTS = re.compile(r"( +)")
_SPACE = 0.36
"""Of the capitals' height: the least gap between words that a small picture still shows."""


@dataclass(frozen=True)
class Style:
    """How the letters of a line stand: pixels added after each, the factor of spaces, whether the font shapes them."""

    tracking: float
    spacing: float
    shaped: bool

    @classmethod
    def draw(cls, random: Random, recipe: Recipe) -> Style:
        """A style as the recipe's chances have it."""
        tracking = 0.0
        if random.random() < recipe.tracking * recipe.strength:
            tracking = CAPITAL_HEIGHT * random.choice((random.uniform(-0.07, 0.07), random.uniform(0, 0.35)))
        spacing = random.uniform(0.8, 2.0) if random.random() < recipe.spacing * recipe.strength else 1.0
        return cls(tracking, spacing, not tracking and random.random() < recipe.shaped)


def set_text(font: Font, text: str, random: Random, style: Style) -> Line:
    """Draws a text of several words; a run of n spaces is a gap of n."""
    own = font.glyph(" ").advance if font.has(" ") else 0.0
    space = max(own * style.spacing, _SPACE * CAPITAL_HEIGHT)
    pen, placed = 0.0, []
    for part in filter(None, _PARTS.split(text)):
        if part[0] == " ":
            pen += len(part) * space + 2 * max(style.tracking, 0.0)
            continue
        complex_script = any(ord(character) >= 0x250 and character.isalpha() for character in part)
        shaped = style.shaped or complex_script
        line = Line(*font.run(part)) if shaped else set_letters(font, part, random, style.tracking)
        if line.mask.size:
            placed.append((line.mask, round(pen), -line.baseline))
            pen += line.mask.shape[1] + max(style.tracking, 0.0)
    return paste(placed) if placed else Line(np.zeros((0, 0), np.uint8), 0)


@dataclass(frozen=True)
class Surroundings:
    """What stands around a line: set lines with their places, and how far the crop may reach at each end."""

    placed: list[Placed]
    reach: tuple[float, float]  # pixels beyond the ink at the left and at the right; inf where nothing stands there


class Setter:
    """Sets what is near a line, from the same font."""

    def __init__(self, writer: LineWriter):
        self._writer = writer

    def surround(self, line: Line, font: Font, random: Random, recipe: Recipe, style: Style) -> Surroundings:
        """Other lines, cut-off words and rules near `line`, by the recipe's chances; often nothing."""
        placed, reach = [], [float("inf")] * 2
        width = line.mask.shape[1]
        if random.random() < recipe.neighbours * recipe.strength:
            leading = round(CAPITAL_HEIGHT * random.uniform(1.3, 2.2))
            sides = random.choice(("u", "d", "ud", "ud", "l", "r", "lr", "lrud"))
            for sign in [{"u": -1, "d": 1}[side] for side in sides if side in "ud"]:
                other = self._line(font, random, style, width)
                placed += [(other, -round(random.uniform(0, 60)), sign * leading)] if other else []
            gap = CAPITAL_HEIGHT * random.uniform(0.25, 0.6) * max(style.spacing, 1.0)
            self._beside(placed, reach, line, font, random, style, sides, gap)
        elif random.random() < recipe.fragment * recipe.strength:
            gap = CAPITAL_HEIGHT * random.uniform(0.04, 0.12)
            self._beside(placed, reach, line, font, random, style, random.choice(("l", "r")), gap)
        if random.random() < recipe.rules * recipe.strength:
            placed += draw_rules(width, random)
        if random.random() < recipe.edges * recipe.strength:
            placed += draw_edges(width, random)
        return Surroundings(placed, tuple(reach))

    def _beside(self, placed, reach, line: Line, font: Font, random: Random, style: Style, sides: str, gap: float):
        """Words at the ends; the crop may show a sliver of them, less than a letter."""
        for end, side in enumerate("lr"):
            other = self._line(font, random, style, 0) if side in sides else None
            if other is not None:
                x = -round(gap) - other.mask.shape[1] if side == "l" else line.mask.shape[1] + round(gap)
                placed.append((other, x, 0))
                reach[end] = gap + CAPITAL_HEIGHT * random.choice((0.0, 0.05, 0.15, 0.25))

    def _line(self, font: Font, random: Random, style: Style, width: int) -> Line | None:
        """Words of about `width` pixels, one at least; None where the font lacks their characters."""
        words = [self._writer.token(random) for _ in range(1 + width // (5 * CAPITAL_HEIGHT))]
        text = " ".join(word for word in words if font.has(word))
        line = set_text(font, text, random, style) if text else None
        return line if line is not None and line.mask.size else None


def draw_rules(width: int, random: Random) -> list[Placed]:
    """Rules of a form or a table: below, above and below, or edges of a box at the ends too."""
    beyond, thick = round(random.uniform(5, 60)), random.choice((1, 1, 2, 2, 3))
    level = random.choice((255, 200, 140))
    flat = Line(np.full((thick, width + 2 * beyond), level, np.uint8), 0)
    below = round(CAPITAL_HEIGHT * random.uniform(0.15, 0.7))
    above = -round(CAPITAL_HEIGHT * random.uniform(1.2, 1.8))
    placed = [(flat, -beyond, below)]
    if random.random() < 0.5:
        placed.append((flat, -beyond, above))
    if random.random() < 0.35:
        edge = Line(np.full((below - above, thick), level, np.uint8), 0)
        away = round(CAPITAL_HEIGHT * random.uniform(0.25, 0.8))
        ends = random.choice(((-away - thick,), (width + away,), (-away - thick, width + away)))
        placed += [(edge, x, above) for x in ends]
    return placed


def draw_edges(width: int, random: Random) -> list[Placed]:
    """What could be taken for |, [ or ' at a line's ends and is none: edges as tall as the crop and more, thin ones and
    the sides of whole panels, upright or leaning, and pieces of them from above or below.
    """
    level = random.choice((255, 255, 180, 110))
    top, bottom = -round(2.4 * CAPITAL_HEIGHT), round(1.2 * CAPITAL_HEIGHT)
    if random.random() < 0.25:  # a piece, which letters beside it outreach
        cut = -round(CAPITAL_HEIGHT * random.uniform(0.3, 0.9))
        top, bottom = random.choice(((top, cut), (cut, bottom)))
    placed = []
    for end in random.choice(((0,), (1,), (0, 1))):
        thick = max(1, round(CAPITAL_HEIGHT * random.choice((0.02, 0.05, 0.09, 0.2, 0.8))))
        away = round(CAPITAL_HEIGHT * random.uniform(0.06, 0.35))
        slope = random.choice((0.0, random.gauss(0, 0.2)))
        edge = Line(_lean(np.full((bottom - top, thick), level, np.uint8), slope), 0)
        placed.append((edge, width + away if end else -away - edge.mask.shape[1], top))
    return placed


def _lean(mask: np.ndarray, slope: float) -> np.ndarray:
    """Each row moved by `slope` pixels more than the one above it."""
    height, width = mask.shape
    shifts = np.round(slope * np.arange(height)).astype(int)
    shifts -= shifts.min()
    leaning = np.zeros((height, width + shifts.max()), mask.dtype)
    np.put_along_axis(leaning, shifts[:, None] + np.arange(width), mask, 1)
    return leaning
