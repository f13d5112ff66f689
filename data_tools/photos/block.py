"""Words set in lines, as flat masks at the glyphs' own size: what a sign or a label is before it is painted.

Masks are uint8 (h, w), 255 where there is ink; lengths are pixels at which capitals are CAPITAL_HEIGHT high.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from data_tools.words.fonts import CAPITAL_HEIGHT, Font, FontIndex
from data_tools.words.lettering import Line, set_line
from data_tools.words.recipe import Recipe as WordRecipe


@dataclass(frozen=True)
class SetWord:
    """A word's text, the box of its ink (left, top, right, bottom), and the number of its line."""

    text: str
    box: tuple[float, float, float, float]
    line: int


@dataclass(frozen=True)
class Block:
    """Lines of words: their ink, and where each word is, in reading order."""

    mask: np.ndarray
    words: tuple[SetWord, ...]


@dataclass(frozen=True)
class Setting:
    """How lines are set: the space between words, from base line to base line, and how they are aligned
    (0 at the left, 0.5 centred, 1 at the right).
    """

    space: float
    leading: float
    align: float

    @classmethod
    def draw(cls, random: Random) -> Setting:
        """A setting at random."""
        space, leading = random.uniform(0.22, 0.7), random.uniform(1.4, 2.2)
        return cls(space * CAPITAL_HEIGHT, leading * CAPITAL_HEIGHT, random.choice((0.0, 0.5, 0.5, 1.0)))


def find_font(fonts: FontIndex, random: Random, texts: Sequence[str]) -> Font | None:
    """A font that has all the characters of all texts."""
    return fonts.draw(random, "".join(texts))


def set_block(
    font: Font, lines: Sequence[Sequence[str]], random: Random, recipe: WordRecipe, setting: Setting
) -> Block:
    """Lines of words (with characters that `font` has) as one block; what draws nothing is left out."""
    rows = [_set_row(font, words, random, recipe, setting.space) for words in lines]
    rows = [row for row in rows if row]
    if not rows:
        return Block(np.zeros((0, 0), np.uint8), ())
    widths = [row[-1][2] + row[-1][1].mask.shape[1] for row in rows]
    placed = []
    for number, (row, width) in enumerate(zip(rows, widths)):
        start = (max(widths) - width) * setting.align
        for text, line, x in row:
            placed.append((text, line, round(start + x), round(number * setting.leading - line.baseline), number))
    return _paste(placed)


def _set_row(font: Font, words: Sequence[str], random: Random, recipe: WordRecipe, space: float) -> list:
    """(text, its line, left end) of each word of one line of text."""
    if len(words) > 1:  # letters far apart in one of them would be further apart than the words
        recipe = recipe.with_(tracking=0.0)
    pen, row = 0.0, []
    for word in words:
        line = set_line(font, word, random, recipe)
        if line.mask.size:
            row.append((font.as_drawn(word), line, round(pen)))
            pen += line.mask.shape[1] + space
    return row


def _paste(placed: list[tuple[str, Line, int, int, int]]) -> Block:
    left, top = min(x for _, _, x, _, _ in placed), min(y for _, _, _, y, _ in placed)
    right = max(x + line.mask.shape[1] for _, line, x, _, _ in placed)
    bottom = max(y + line.mask.shape[0] for _, line, _, y, _ in placed)
    mask, words = np.zeros((bottom - top, right - left), np.uint8), []
    for text, line, x, y, number in placed:
        height, width = line.mask.shape
        x, y = x - left, y - top
        place = mask[y : y + height, x : x + width]
        np.maximum(place, line.mask, out=place)
        words.append(SetWord(text, (x, y, x + width, y + height), number))
    return Block(mask, tuple(words))
