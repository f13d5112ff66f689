"""A page that was read, as plain values: lines of words in reading order, each with its place and confidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ocr.order import around, find_blocks, group_words, outline, sort_lines


@dataclass(frozen=True)
class Word:
    """A word: its text, the confidence p(text | picture), 0-1, and its quad (4, 2) from the top left as read."""

    text: str
    confidence: float
    quad: np.ndarray


@dataclass(frozen=True)
class Line:
    """A line: its words, the text with a space between them, the least of their confidences, its quad (4, 2) and
    outline (P, 2), which follows curved text, and the numbers, from 0, of its block and its paragraph.
    """

    text: str
    confidence: float
    quad: np.ndarray
    polygon: np.ndarray
    words: tuple[Word, ...]
    block: int = 0
    paragraph: int = 0


@dataclass(frozen=True)
class Page:
    """What was read, in pixels of the picture as it is seen: EXIF applied, not turned further; `angle` says by how many
    degrees it was turned, clockwise, to be read, `scale` by how much it was scaled to be looked at. Lines are in
    reading order.
    """

    width: int
    height: int
    lines: tuple[Line, ...]
    angle: int = 0
    scale: float = 1.0

    @property
    def text(self) -> str:
        """All lines, an empty line between paragraphs."""
        parts: list[str] = []
        for before, line in zip([None, *self.lines[:-1]], self.lines):
            if before is not None and before.paragraph != line.paragraph:
                parts.append("")
            parts.append(line.text)
        return "\n".join(parts)

    @property
    def words(self) -> tuple[Word, ...]:
        """All words in reading order."""
        return tuple(word for line in self.lines for word in line.words)


@dataclass(frozen=True)
class Piece:
    """What was cut out and read in one go, a word or a line: its words (one at least), quad (4, 2), outline (P, 2)."""

    words: tuple[Word, ...]
    quad: np.ndarray
    polygon: np.ndarray


def make_lines(pieces: Sequence[Piece]) -> tuple[Line, ...]:
    """Pieces in any order as lines in reading order; those on one level, with no gap between, are one line."""
    groups = [[pieces[place] for place in group] for group in group_words([piece.quad for piece in pieces])]
    quads = [around([piece.quad for piece in group]) for group in groups]
    order = sort_lines(quads)
    places = find_blocks([quads[number] for number in order])
    lines = []
    for number, place in zip(order, places):
        group = groups[number]
        words = tuple(word for piece in group for word in piece.words)
        text, confidence = " ".join(word.text for word in words), min(word.confidence for word in words)
        polygon = group[0].polygon if len(group) == 1 else outline([piece.quad for piece in group])
        lines.append(Line(text, confidence, quads[number], polygon, words, place.block, place.paragraph))
    return tuple(lines)
