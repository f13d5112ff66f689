"""What rendered photographs are made of: plain values, so that a recipe travels through YAML, pickles and metadata."""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields

from data_tools.checks import check_range, check_whole
from data_tools.errors import UserError
from data_tools.recipes import freeze_lists
from data_tools.words.recipe import Recipe as WordRecipe

LARGEST = 4096


@dataclass(frozen=True)
class Recipe:
    """Photographs, described. Shares and chances are 0-1; sizes are in pixels of the finished picture."""

    # what is written
    fonts: tuple[str, ...] = ()  # folders or files besides the system's fonts and the bundled ones
    system_fonts: bool = True
    words: str | None = None  # a word list or a Hunspell .dic; None: the list that ships
    backgrounds: str | None = None  # a folder of photographs without text; None: procedural textures
    # the picture
    height: int = 640
    width: int = 640
    documents: float = 0.0  # share of pages, receipts and forms among the pictures
    # scenes
    signs: tuple[int, int] = (1, 14)  # surfaces with text in one scene
    capitals: tuple[float, float] = (6.0, 80.0)  # heights of capitals, smaller ones oftener
    legible: float = 6.5  # capitals less high are marked as not legible
    board: float = 0.6  # chance that letters stand on a board of their own, not on what is there
    perspective: float = 0.6
    curve: float = 0.12
    upright: float = 0.06  # chance of a line that runs up or down
    interior: float = 0.6  # chance of shelves, lamps, people, railings behind the signs
    clutter: float = 0.5  # chance of things that look like text and are none
    occlusion: float = 0.15
    # documents
    page_capitals: tuple[float, float] = (7.0, 16.0)
    scanned: float = 0.6  # share of flat scans among the documents; the others lie under a camera
    # the camera
    light: float = 0.6
    blur: float = 0.35
    noise: float = 0.5
    jpeg: float = 0.7

    def __post_init__(self):
        freeze_lists(self)
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type == "float" and field.name != "legible":
                check_range(f"recipe: {field.name}", value, 0, 1)
        for name in ("height", "width"):
            check_whole(f"recipe: {name}", getattr(self, name), 32, LARGEST)
        for name in ("signs", "capitals", "page_capitals"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise UserError(f"recipe: {name} is {(low, high)}; it must be two numbers above 0, the smaller first")

    @functools.cached_property
    def lettering(self) -> WordRecipe:
        """How words of signs are written and their letters set."""
        return WordRecipe(self.fonts, self.system_fonts, self.words)

    @functools.cached_property
    def prose(self) -> WordRecipe:
        """The same for documents: small letters mostly, set without tricks."""
        cases = {"upper_share": 0.07, "capital_share": 0.16, "lower_share": 0.72, "sign_share": 0.06}
        kinds = {"digits_share": 0.12, "mixed_share": 0.06, "punctuation_share": 0.1, "short_words": 0.3}
        plain = {"tracking": 0.0, "first_larger": 0.0, "jitter": 0.0, "shaped": 0.15}
        return self.lettering.with_(**cases, **kinds, **plain)
