"""Words to lines, lines to blocks and paragraphs, all in reading order: geometry of quads, no pictures.

Quads are float32 (4, 2), from the top left as read. Source of the reading order: Breuel, "High performance document
layout analysis" (2003), section 5: a partial order of lines, sorted topologically.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

GAP = 1.2
"""Words of one line lie at most this many heights apart."""
LIKE = 1.9
"""Their heights differ by this factor at most."""
LEVEL = 0.5
"""A word's middle lies at most this many heights off the line of the word before."""
BLOCK_GAP = 1.3
PARAGRAPH_GAP = 0.8
"""Heights between a block's, a paragraph's lines."""
BENT = 0.2
"""A line is curved if a word's middle lies more than this many heights off the line through its ends."""


def group_words(quads: Sequence[np.ndarray]) -> list[list[int]]:
    """Positions of words, line by line, each in reading order; the lines in no particular order."""
    if not quads:
        return []
    following = _find_followers(np.stack(quads).astype(np.float64))
    preceded = set(following.values())
    lines = []
    for first in range(len(quads)):
        if first not in preceded:
            line = [first]
            while line[-1] in following:
                line.append(following[line[-1]])
            lines.append(line)
    return lines


def _find_followers(quads: np.ndarray) -> dict[int, int]:
    """The word after each word, by position: the nearest to its right, if no other word is nearer to that one.

    Pairs are taken from the nearest on, so a word follows one word at most; a chain never closes, since each step goes
    along the text's own direction.
    """
    centres = quads.mean(1)
    along = (quads[:, 1] - quads[:, 0] + quads[:, 2] - quads[:, 3]) / 2
    down = (quads[:, 3] - quads[:, 0] + quads[:, 2] - quads[:, 1]) / 2
    widths, heights = (np.maximum(np.linalg.norm(side, axis=1), 1e-6) for side in (along, down))
    unit = along / widths[:, None]
    apart = centres[None] - centres[:, None]  # (from, to, 2)
    forward = (apart * unit[:, None]).sum(2)
    aside = np.abs(apart[..., 0] * -unit[:, None, 1] + apart[..., 1] * unit[:, None, 0])
    lower, higher = np.minimum(heights[:, None], heights), np.maximum(heights[:, None], heights)
    gap = forward - (widths[:, None] + widths) / 2
    same_way = unit @ unit.T > 0.8
    fits = (forward > 0.25 * lower) & (gap < GAP * higher) & (gap > -0.6 * lower)
    fits &= (aside < LEVEL * lower) & (higher < LIKE * lower) & same_way
    following: dict[int, int] = {}
    taken: set[int] = set()
    for place in np.argsort(np.where(fits, gap, np.inf), axis=None, kind="stable"):
        before, after = divmod(int(place), len(quads))
        if not fits[before, after]:
            break
        if before not in following and after not in taken:
            following[before] = after
            taken.add(after)
    return following


def around(quads: Sequence[np.ndarray]) -> np.ndarray:
    """The quad of a line (4, 2): the rectangle, along its first word's and last word's middle, around all its words."""
    if len(quads) == 1:
        return np.float32(quads[0])
    points = np.concatenate(quads).astype(np.float64)
    direction = quads[-1].mean(0) - quads[0].mean(0)
    along = direction / max(float(np.linalg.norm(direction)), 1e-9)
    down = np.array([-along[1], along[0]])
    u, v = points @ along, points @ down
    corners = ((u.min(), v.min()), (u.max(), v.min()), (u.max(), v.max()), (u.min(), v.max()))
    return np.float32([a * along + b * down for a, b in corners])


def outline(quads: Sequence[np.ndarray]) -> np.ndarray:
    """The outline (P, 2), clockwise as read, of a line of words in order: where it is curved, the tops and the bottoms
    of its words, else its quad.
    """
    quad = around(quads)
    down = (quad[3] - quad[0]).astype(np.float64)
    height = max(float(np.linalg.norm(down)), 1e-9)
    centres = np.stack([each.mean(0) for each in quads])
    off = (centres - centres[0]) @ (down / height)
    if np.abs(off).max() <= BENT * float(np.median([np.linalg.norm(each[3] - each[0]) for each in quads])):
        return quad
    tops = np.concatenate([each[:2] for each in quads])
    bottoms = np.concatenate([each[[3, 2]] for each in quads])
    return np.float32(np.concatenate([tops, bottoms[::-1]]))


def join_words(quads: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The quads of lines of words, in no particular order; the words of a curved line stay apart."""
    lines = [[quads[place] for place in group] for group in group_words(quads)]
    return [quad for line in lines for quad in (line if len(outline(line)) > 4 else [around(line)])]


def sort_lines(quads: Sequence[np.ndarray]) -> list[int]:
    """Positions of lines in reading order: down a column, then the next one."""
    if not quads:
        return []
    boxes = np.stack([np.concatenate([quad.min(0), quad.max(0)]) for quad in quads]).astype(np.float64)
    before = _precedes(boxes)
    waiting = before.sum(0)
    left = set(range(len(quads)))
    order: list[int] = []
    while left:
        # Circles come of lines that overlap; the highest then goes first.
        ready = [place for place in left if waiting[place] <= 0] or list(left)
        place = min(ready, key=lambda place: _rank(boxes[place], boxes[order[-1]] if order else None))
        order.append(place)
        left.remove(place)
        waiting -= before[place]
    return order


def _rank(box: np.ndarray, before: np.ndarray | None) -> tuple[bool, float, float]:
    """Among lines that could come next, one below the line before is first, so that a column is read to its end."""
    return before is None or not _is_below(before, box), float(box[1]), float(box[0])


def _is_below(upper: np.ndarray, lower: np.ndarray) -> bool:
    """Whether a box overlaps another one across, and is below it."""
    return bool(lower[0] < upper[2] and upper[0] < lower[2] and lower[1] + lower[3] > upper[1] + upper[3])


def _precedes(boxes: np.ndarray) -> np.ndarray:
    """(N, N) of 0 and 1: line a is read before line b."""
    left, top, right, bottom = boxes.T
    middle = (top + bottom) / 2
    across = (left[:, None] < right) & (left < right[:, None])
    above = across & (middle[:, None] < middle)
    beside = ~across & (right[:, None] <= left)
    for a, b in np.argwhere(beside):
        low, high = sorted((middle[a], middle[b]))
        between = (middle > low) & (middle < high) & across[a] & across[b]
        beside[a, b] = not between.any()
    before = (above | beside).astype(int)
    np.fill_diagonal(before, 0)
    return before


@dataclass(frozen=True)
class Place:
    """A line's block and its paragraph within the page, both from 0."""

    block: int
    paragraph: int


def find_blocks(quads: Sequence[np.ndarray]) -> list[Place]:
    """Where lines, given in reading order, belong: a block ends where the next line is elsewhere, a paragraph also at
    a larger space or where letters change their size.
    """
    places: list[Place] = []
    block = paragraph = 0
    for before, now in zip([None, *quads[:-1]], quads):
        if before is not None:
            old, new = (np.concatenate([quad.min(0), quad.max(0)]) for quad in (before, now))
            heights = float(np.linalg.norm(before[3] - before[0])), float(np.linalg.norm(now[3] - now[0]))
            gap, height = float(new[1] - old[3]), max(1e-6, min(heights))
            elsewhere = not (new[0] < old[2] and old[0] < new[2]) or not -height < gap < BLOCK_GAP * max(heights)
            block += elsewhere
            paragraph += elsewhere or gap > PARAGRAPH_GAP * height or max(heights) > 1.5 * height
        places.append(Place(block, paragraph))
    return places
