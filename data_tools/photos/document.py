"""Documents: pages of one to three columns, receipts, forms and tables, on paper, scanned or photographed.

A page is written from top to bottom, column after column; that is the reading order of its regions.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from random import Random

import cv2
import numpy as np
from PIL import Image

from data_tools import effects
from data_tools.photos.backdrop import draw_colour, draw_texture
from data_tools.photos.camera import add_grain, defocus, photograph
from data_tools.photos.recipe import Recipe
from data_tools.photos.scene import Tools
from data_tools.photos.sign import Panel, blend
from data_tools.sample import Region
from data_tools.words.fonts import CAPITAL_HEIGHT, Font
from data_tools.words.lettering import set_line

_PROBE = "aehnorstEHNORST0123456789.,:-"
"""What a document's font must have; words with other characters are left out where it lacks them."""


class Page:
    """Paper that is written on: `ink` uint8 (h, w), and the words with their boxes and lines, in reading order."""

    def __init__(self, tools: Tools, random: Random):
        recipe = tools.recipe
        self.tools, self.random = tools, random
        self.ink = np.zeros((recipe.height, recipe.width), np.uint8)
        self.words: list[tuple[str, tuple[float, float, float, float], int]] = []
        self.line = 0

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return self.ink.shape[0]

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return self.ink.shape[1]

    def word_mask(self, font: Font, text: str, capitals: float) -> tuple[np.ndarray, int] | None:
        """A word's ink with capitals of that many pixels, and its base line's row; None where nothing is drawn."""
        if not font.has(text):
            return None
        line = set_line(font, text, self.random, self.tools.recipe.prose)
        if not line.mask.size:
            return None
        factor = capitals / CAPITAL_HEIGHT
        size = tuple(max(1, round(side * factor)) for side in line.mask.shape[::-1])
        return cv2.resize(line.mask, size, interpolation=cv2.INTER_AREA), round(line.baseline * factor)

    def put(self, text: str, mask: np.ndarray, x: int, top: int, capitals: float) -> bool:
        """A word's ink on the page, if it has room there."""
        height, width = mask.shape
        if x < 0 or top < 0 or x + width > self.width or top + height > self.height:
            return False
        place = self.ink[top : top + height, x : x + width]
        np.maximum(place, mask, out=place)
        loose = 0.06 * capitals
        self.words.append((text, (x - loose, top - loose, x + width + loose, top + height + loose), self.line))
        return True

    def write_line(self, font: Font, words: list[str], x: float, base: float, right: float, capitals: float) -> int:
        """Words from `x` on, as far as they fit before `right`; how many were written."""
        written, space = 0, capitals * self.random.uniform(0.38, 0.6)
        for word in words:
            drawn = self.word_mask(font, word, capitals)
            if drawn is None:
                written += 1
                continue
            (mask, baseline), text = drawn, font.as_drawn(word)
            fits = x + mask.shape[1] <= right
            if not fits or not self.put(text, mask, round(x), round(base) - baseline, capitals):
                break
            x += mask.shape[1] + space
            written += 1
        self.line += 1
        return written

    def write_right(self, font: Font, word: str, right: float, base: float, capitals: float) -> None:
        """One word that ends at `right`, on the line before."""
        drawn = self.word_mask(font, word, capitals)
        if drawn is not None:
            mask, baseline = drawn
            self.line -= 1
            self.put(font.as_drawn(word), mask, round(right) - mask.shape[1], round(base) - baseline, capitals)
            self.line += 1

    def rule(self, x: float, y: float, right: float, thick: int = 1) -> None:
        """A level line."""
        cv2.line(self.ink, (round(x), round(y)), (round(right), round(y)), 200, thick)


def _draw_words(page: Page, least: int, most: int) -> list[str]:
    """That many words of prose."""
    return [page.tools.prose.word(page.random) for _ in range(page.random.randint(least, most))]


Piece = Callable[[Page, Font, float, float, float, float], float]
"""Writes (page, font, left, top, right, capitals) and returns where it ended."""


def write_paragraph(page: Page, font: Font, left: float, top: float, right: float, capitals: float) -> float:
    """Lines of prose."""
    leading = capitals * page.random.uniform(1.7, 2.3)
    words = _draw_words(page, 6, 70)
    base = top + leading
    while words and base < page.height:
        written = page.write_line(font, words, left, base, right, capitals)
        words = words[max(1, written) :]
        base += leading
    return base


def write_heading(page: Page, font: Font, left: float, top: float, right: float, capitals: float) -> float:
    """A few words in larger letters, now and then with a line below."""
    random, larger = page.random, capitals * page.random.uniform(1.2, 2.6)
    base = top + 1.8 * larger
    page.write_line(font, _draw_words(page, 1, 4), left, base, right, larger)
    if random.random() < 0.3:
        page.rule(left, base + 0.6 * larger, right)
    return base + larger


def write_form(page: Page, font: Font, left: float, top: float, right: float, capitals: float) -> float:
    """Fields: a label, then a line or a box with something in it or nothing."""
    random, leading = page.random, capitals * page.random.uniform(2.2, 3.4)
    middle, base = left + (right - left) * page.random.uniform(0.3, 0.5), top + leading
    boxed = random.random() < 0.4
    for _ in range(random.randrange(3, 12)):
        if base > page.height - capitals:
            break
        *label, last = _draw_words(page, 1, 3)
        page.write_line(font, [*label, f"{last}:"], left, base, middle, capitals)
        if random.random() < 0.75:
            page.write_line(font, _draw_words(page, 1, 4), middle + capitals, base, right, capitals)
        if boxed:
            box = [(round(middle), round(base - 1.7 * capitals)), (round(right), round(base + 0.7 * capitals))]
            cv2.rectangle(page.ink, *box, 190, 1)
        else:
            page.rule(middle, base + 0.4 * capitals, right)
        base += leading
    return base


def write_table(page: Page, font: Font, left: float, top: float, right: float, capitals: float) -> float:
    """Rows and columns of words and numbers, ruled or not."""
    random, leading = page.random, capitals * page.random.uniform(2.0, 3.0)
    columns = random.randrange(2, 6)
    edges = [left + (right - left) * number / columns for number in range(columns + 1)]
    ruled, base = random.random() < 0.6, top + leading
    for _ in range(random.randrange(3, 10)):
        if base > page.height - capitals:
            break
        for start, end in pairwise(edges):
            x, stop = start + 0.5 * capitals, end - 0.3 * capitals
            page.write_line(font, _draw_words(page, 1, 1), x, base, stop, capitals)
        if ruled:
            page.rule(left, base + 0.7 * capitals, right)
        base += leading
    if ruled:
        for edge in edges:
            cv2.line(page.ink, (round(edge), round(top + 0.7 * leading)), (round(edge), round(base - leading)), 190, 1)
    return base


def write_bill(page: Page, font: Font, left: float, top: float, right: float, capitals: float) -> float:
    """Goods at the left, prices at the right, as on a receipt."""
    random, leading = page.random, capitals * page.random.uniform(1.7, 2.4)
    base = top + leading
    for _ in range(random.randrange(3, 14)):
        if base > page.height - capitals:
            break
        page.write_line(font, _draw_words(page, 1, 3), left, base, right - 7 * capitals, capitals)
        page.write_right(font, f"{random.randrange(0, 120)}.{random.randrange(100):02}", right, base, capitals)
        base += leading
    return base


_PIECES: tuple[tuple[str, tuple[Piece, ...]], ...] = (
    ("page", (write_heading, write_paragraph, write_paragraph, write_paragraph, write_table)),
    ("form", (write_heading, write_form, write_form, write_paragraph, write_table)),
    ("receipt", (write_heading, write_bill, write_bill, write_paragraph)),
)


def write_page(tools: Tools, random: Random) -> Page:
    """A page full of pieces of one kind of document."""
    page, font = Page(tools, random), None
    while font is None:
        font = tools.fonts.draw(random, _PROBE)
    low, high = tools.recipe.page_capitals
    capitals = low * (high / low) ** random.random()
    kind, pieces = random.choice(_PIECES)
    margin = page.width * random.uniform(0.03, 0.12)
    columns = random.choice((1, 1, 1, 2, 2, 3)) if kind == "page" else 1
    gutter = 2 * capitals
    span = (page.width - 2 * margin - (columns - 1) * gutter) / columns
    if span < 12 * capitals:
        columns, span = 1, page.width - 2 * margin
    for column in range(columns):
        left, base = margin + column * (span + gutter), page.height * random.uniform(0.01, 0.08)
        while base < page.height - 3 * capitals:
            base = random.choice(pieces)(page, font, left, base, left + span, capitals)
            base += capitals * random.uniform(0.2, 2)
    return page


def draw_document(tools: Tools, random: Random) -> tuple[Image.Image, list[Region]]:
    """A document as a scanner or a camera gives it, and its words."""
    page, recipe = write_page(tools, random), tools.recipe
    height, width = page.ink.shape
    paper = draw_colour(random, random.choice((255, 250, 240, random.uniform(190, 250))))
    sheet = draw_texture(random, width, height, paper, random.choice((0, 0, 2, 4)))
    outlines = tuple(_corners(box) for _, box, _ in page.words)
    blend(sheet, draw_colour(random, random.choice((0, 20, random.uniform(0, 90)))), page.ink)
    scanned = random.random() < recipe.scanned
    if not scanned:
        _fold(sheet, random)
    panel = Panel(sheet, np.full((height, width), 255, np.uint8), outlines)
    homography = _draw_lay(random, width, height, scanned)
    behind = np.full((height, width, 3), 255, np.uint8) if scanned else tools.backdrops.draw(random, width, height)
    picture = np.ascontiguousarray(behind)
    found = panel.put(picture, homography)
    image = _scan(picture, random, recipe) if scanned else photograph(picture, random, recipe)
    return image, _regions(page, found, recipe)


def _corners(box: tuple[float, float, float, float]) -> np.ndarray:
    left, top, right, bottom = box
    return np.float32([[left, top], [right, top], [right, bottom], [left, bottom]])


def _regions(page: Page, outlines: list[np.ndarray], recipe: Recipe) -> list[Region]:
    high, regions = np.float32([recipe.width, recipe.height]), []
    for (text, _, line), outline in zip(page.words, outlines):
        inside = np.clip(outline, 0, high)
        if (np.ptp(inside, axis=0) >= 1).all():
            regions.append(Region(inside, text, bool(np.abs(inside - outline).max() < 2), line))
    return regions


def _draw_lay(random: Random, width: int, height: int, scanned: bool) -> np.ndarray:
    """How a sheet lies under the scanner, hardly turned, or before a camera."""
    corners = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
    if scanned:
        centre = np.array([[1, 0, width / 2], [0, 1, height / 2], [0, 0, 1]])
        angle = np.deg2rad(random.gauss(0, 0.6))
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        return centre @ turn @ np.linalg.inv(centre)
    reach = np.float32([width, height]) * 0.06
    moves = np.float32([[random.uniform(-1, 1), random.uniform(-1, 1)] for _ in corners]) * reach
    return cv2.getPerspectiveTransform(corners, corners + moves)


def _fold(sheet: np.ndarray, random: Random) -> None:
    """Folds: light on one side and shade on the other."""
    height, width = sheet.shape[:2]
    for _ in range(random.randrange(0, 3)):
        at, share, reach = random.uniform(0.2, 0.8), random.uniform(0.05, 0.2), random.uniform(0.02, 0.1)
        along = np.linspace(0, 1, width if random.random() < 0.5 else height, dtype=np.float32) - at
        shade = 1 - share * np.sign(along) * np.exp(-np.abs(along) / reach)
        shade = shade[None, :, None] if len(shade) == width and random.random() < 0.5 else shade[:, None, None]
        if shade.shape[0] in (1, height) and shade.shape[1] in (1, width):
            sheet[:] = np.clip(sheet * shade, 0, 255).astype(np.uint8)


def _scan(picture: np.ndarray, random: Random, recipe: Recipe) -> Image.Image:
    """A scanner's picture: in colour, grey or black and white, copied with specks or not."""
    if random.random() < 0.75:
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        if random.random() < 0.3:
            grey = np.where(grey > random.uniform(130, 200), 255, 0).astype(np.uint8)
        picture = cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
    if random.random() < recipe.blur:
        picture = defocus(picture, random, 0.6)
    if random.random() < recipe.noise:
        picture = add_grain(picture, random, abs(random.gauss(0, 5)))
    image = Image.fromarray(picture)
    return effects.compress(image, int(40 + 55 * random.random())) if random.random() < recipe.jpeg else image
