"""Fonts: found, opened, checked, and their glyphs drawn once.

Pillow's FreeType opens ttf, otf, ttc, woff and woff2 alike, so a font's characters are asked of FreeType itself: a
character is lacking where its glyph is the one that is drawn for a code point no font has. A font is opened when it is
first drawn from, so a data set of a thousand fonts starts at once in each worker.
"""

from __future__ import annotations

import copy
import functools
import logging
import os
import re
from bisect import bisect
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from data_tools.errors import UserError
from data_tools.readers.walk import is_side

logger = logging.getLogger(__name__)

CAPITAL_HEIGHT = 26  # pixels at which glyphs are drawn and kept
WEIGHTS = {"staple": 5, "plain": 2, "display": 2, "hand": 2}  # how often a family of this kind is drawn
_USUAL_SIZE = 37  # at which the capitals of most fonts have that height
SUFFIXES = (".ttf", ".otf", ".ttc", ".woff", ".woff2")
_SYSTEM_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts", "/Library/Fonts")
_SYMBOL_NAME = re.compile(
    r"STIXNonUni|STIXSiz|\bcm(sy|ex|mi)\d*|symbol|dingbat|webding|wingding|icon|emoji|barcode|LastResort|redact|braille"
    r"|D050000L|music|math(?!ilda)|DejaVuS\w+Display",
    re.IGNORECASE,
)
_STYLE = re.compile(
    r"[-_ ]?(latin(-ext)?-)?"
    r"(\d{3}|Thin|ExtraLight|Light|Regular|Book|Medium|SemiBold|DemiBold|Bold|ExtraBold|Black|Heavy)?"
    r"[-_ ]?(normal|italic|oblique)?$",
    re.IGNORECASE,
)
_REACH = 4 * CAPITAL_HEIGHT  # pixels around the pen within which a glyph must lie
_NEVER_DRAWN = "\U0010fffe"


@dataclass(frozen=True, slots=True)
class Glyph:
    """A drawn character: `mask` (h, w) uint8, where its corner lies from the pen (x right, y down), and its advance."""

    mask: np.ndarray
    left: int
    top: int
    advance: float


class Font:
    """One font file at the size that makes its capitals CAPITAL_HEIGHT pixels high. Raises OSError if unreadable."""

    def __init__(self, path: str):
        self.path = path
        self._face = ImageFont.truetype(path, _USUAL_SIZE)
        height = -self._face.getbbox("H", anchor="ls")[1]
        if height > 0 and abs(height - CAPITAL_HEIGHT) > 1:
            size = round(_USUAL_SIZE * CAPITAL_HEIGHT / height)
            self._face = ImageFont.truetype(path, min(max(size, 20), 72))
        self._glyphs: dict[str, Glyph | None] = {}
        self._cases: dict[str, str] = {}
        self._missing = self._draw(_NEVER_DRAWN, _REACH)[0]
        self.name = " ".join(filter(None, self._face.getname()))

    def _draw(self, text: str, width: int) -> tuple[np.ndarray, int, int]:
        """The ink of `text`, at most `width` wide: a mask (h, w), and where its corner lies from the pen."""
        image = Image.new("L", (width + 2 * _REACH, 2 * _REACH))
        ImageDraw.Draw(image).text((_REACH, _REACH), text, fill=255, font=self._face, anchor="ls")
        box = image.getbbox() or (_REACH, _REACH, _REACH, _REACH)
        return np.asarray(image.crop(box)), box[0] - _REACH, box[1] - _REACH

    def glyph(self, character: str) -> Glyph | None:
        """The drawn character, or None where the font lacks it."""
        if character not in self._glyphs:
            mask, left, top = self._draw(character, _REACH)
            advance = self._face.getlength(character)
            blank = not mask.size or np.array_equal(mask, self._missing)
            lacking = blank and not (character.isspace() and advance > 0)
            self._glyphs[character] = None if lacking else Glyph(mask, left, top, advance)
        return self._glyphs[character]

    def run(self, text: str) -> tuple[np.ndarray, int]:
        """A whole word shaped by the font's own kerning, ligatures and joins: (h, w) uint8 and its base line's row."""
        width = round(sum(glyph.advance for glyph in map(self.glyph, text) if glyph))
        mask, _, top = self._draw(text, width)
        return mask, -top

    def has(self, text: str) -> bool:
        """Whether every character of `text` can be drawn."""
        return None not in map(self.glyph, text)

    def as_drawn(self, text: str) -> str:
        """`text` with lower case turned to capitals where this font draws the very same glyph for both."""
        for character in set(text).difference(self._cases):
            self._cases[character] = self._case_drawn(character)
        return "".join(map(self._cases.__getitem__, text))

    def _case_drawn(self, character: str) -> str:
        upper = character.upper()
        if upper == character or len(upper) != 1:
            return character
        small, large = self.glyph(character), self.glyph(upper)
        if small and large and np.array_equal(small.mask, large.mask) and small.top == large.top:
            return upper
        return character

    def complaint(self) -> str | None:
        """Why this is no font of text: a symbol font by its name or by its letters; None for a good one."""
        if _SYMBOL_NAME.search(Path(self.path).stem) or _SYMBOL_NAME.search(self.name):
            return "a symbol font"
        drawn = [self.glyph(character) for character in self._own_letters()]
        known = [glyph for glyph in drawn if glyph]
        if len(known) < 3:
            return "has no letters"
        if len({(glyph.mask.shape, glyph.mask.tobytes()) for glyph in known}) < len(known) - 1:
            return "draws different letters alike"
        return None

    def _own_letters(self) -> str:
        latin = "ABEKQS"
        if any(self.glyph(character) for character in latin):
            return latin
        scripts = (
            "АБДЖК",
            "ΑΔΘΛΩ",
            "אבגדה",
            "ابتجد",
            "कखगघच",
            "กขคงจ",
            "あいうえお",
            "一二三四五",
            "가나다라마",
            "ԱԲԳԴԵ",
            "აბგდე",
        )
        return max(scripts, key=lambda letters: sum(self.glyph(letter) is not None for letter in letters))


def bundled_folder() -> Path:
    """The fonts that come with matplotlib: the default that is always there."""
    import importlib.util

    found = importlib.util.find_spec("matplotlib")
    if found is None or not found.origin:
        raise UserError("matplotlib is not installed and no fonts are given; install it or name a folder with --fonts")
    return Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"


def caption_font(size: int) -> ImageFont.FreeTypeFont:
    """For what is written beside pictures, `size` pixels high: DejaVu Sans, since Pillow's own font has no accents."""
    return ImageFont.truetype(str(bundled_folder() / "DejaVuSans.ttf"), size)


def font_files(folders: tuple[str, ...], system: bool = True) -> list[str]:
    """Every font file of the user's folders, the system's and the bundled ones, without repeats, in a stable order.

    Raises UserError for a folder of the user's that is not there or holds no font file.
    """
    files: dict[str, str] = {}
    for folder in folders:
        found = _files_below(Path(folder).expanduser())
        if not found:
            raise UserError(f"{folder}: no font file (ttf, otf, woff, woff2) there; name another folder with --fonts")
        files.update((file.name, str(file)) for file in found)
    others = [Path(folder).expanduser() for folder in _SYSTEM_FOLDERS] if system else []
    if system or not folders:
        others.append(bundled_folder())
    for folder in others:
        for file in _files_below(folder):
            files.setdefault(file.name, str(file))
    return [files[name] for name in sorted(files)]


def _files_below(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found = (Path(root) / name for root, _, names in os.walk(path) for name in names)
    return sorted(file for file in found if file.suffix.lower() in SUFFIXES and not is_side(file.name))


def refused_by_name(path: str) -> bool:
    """Whether the file's name says that it holds symbols; such files are not even opened."""
    return _SYMBOL_NAME.search(Path(path).stem) is not None


def family_of(path: str) -> str:
    """The family's name by the file's name: `lato-latin-700-italic.woff2` and `Lato-Bold.ttf` give `lato`."""
    return _STYLE.sub("", Path(path).stem).lower() or Path(path).stem.lower()


@functools.cache
def family_kinds() -> dict[str, str]:
    """The families that `fonts --fetch` installs, by name: staple, plain, display or hand."""
    lines = (Path(__file__).parent / "data" / "families.txt").read_text("utf-8").splitlines()
    return dict(line.split() for line in lines if line and not line.startswith("#"))


def _kind_of(family: str) -> str:
    return family_kinds().get(family, "plain")


class FontIndex:
    """The families at hand, drawn by their kind's weight whatever the number of their styles."""

    def __init__(self, files: list[str]):
        families: dict[str, list[str]] = {}
        for file in files:
            if not refused_by_name(file):
                families.setdefault(family_of(file), []).append(file)
        self.names = sorted(families)
        self.families = [families[name] for name in self.names]
        self._shares = list(accumulate(WEIGHTS[_kind_of(name)] for name in self.names))
        self._opened: dict[str, Font | None] = {}
        self.why: dict[str, str] = {}
        if not self.families:
            raise UserError("no usable font found; name a folder with --fonts")

    def weigh(self, weight: Callable[[str, str], float]) -> FontIndex:
        """The same fonts, opened once for both, drawn by `weight(family, kind)`; those of 0 never, unless all are."""
        weights = [weight(name, _kind_of(name)) for name in self.names]
        kept = [n for n, each in enumerate(weights) if each > 0]
        other = copy.copy(self)
        if kept:
            other.names, other.families = [self.names[n] for n in kept], [self.families[n] for n in kept]
            other._shares = list(accumulate(weights[n] for n in kept))
        return other

    def open(self, path: str) -> Font | None:
        """The font, or None (and one line in the log) where it cannot be opened or is no font of text."""
        if path not in self._opened:
            try:
                font = Font(path)
                complaint = font.complaint()
            except (OSError, ValueError, MemoryError, SystemError) as error:
                font, complaint = None, f"cannot be opened ({error})"
            if complaint:
                logger.warning("font %s: %s; skipped", path, complaint)
                self.why[path] = complaint
            self._opened[path] = None if complaint else font
        return self._opened[path]

    def draw(self, random, text: str) -> Font | None:
        """A font that has every character of `text`: a family at random, then a style; None where none was found."""
        for _ in range(60):
            family = self.families[bisect(self._shares, random.random() * self._shares[-1])]
            font = self.open(family[int(random.random() * len(family))])
            if font and font.has(text):
                return font
        files = (file for family in self.families for file in family)
        return next((font for font in map(self.open, files) if font and font.has(text)), None)


@functools.lru_cache(maxsize=4)
def font_index(folders: tuple[str, ...], system: bool = True) -> FontIndex:
    """The process's one index of these folders."""
    return FontIndex(font_files(folders, system))
