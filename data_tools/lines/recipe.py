"""What rendered lines are made of: plain values, so that a recipe travels through YAML, pickles and metadata."""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields

from data_tools.checks import check_range, check_whole
from data_tools.errors import UserError
from data_tools.recipes import EasedRecipe, freeze_lists
from data_tools.text import compose
from data_tools.words.recipe import PRINTABLE
from data_tools.words.recipe import Recipe as WordRecipe

ACCENTED = "àáâãäåæçèéêëìíîïñòóôõöøœùúûüÿßÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØŒÙÚÛÜ"
"""Letters of French, German, Spanish, Italian and Portuguese, and å ø of names from the north. Fonts that are cut for
Western Europe lack Ÿ, so it is not among them.
"""
MARKS = "€£¥§°©®™«»“”‘’„–—•¡¿ºª²³½±×"
CHARACTERS = f" {PRINTABLE}{ACCENTED}{MARKS}"
"""What lines are written with: 180 symbols, the space first."""


@dataclass(frozen=True)
class Recipe(EasedRecipe):
    """Lines of text, described. Shares and chances are 0-1; lengths are in capital heights."""

    # what is written
    fonts: tuple[str, ...] = ()  # folders or files besides the system's fonts and the bundled ones
    system_fonts: bool = True
    words: str | None = None  # a word list or a Hunspell .dic, of which alone prose is made; None: the lists that ship
    more_words: tuple[str, ...] = ()  # further lists, of any language, each as often as one of the five that ship
    characters: str = CHARACTERS  # texts with others are left out; "" allows whatever the fonts have
    words_per_line: int = 12
    foreign: float = 0.4  # share of lines in French, German, Spanish, Italian, Portuguese and of `more_words`
    # kinds of text; what is left is prose
    word_share: float = 0.4  # single words, numbers, codes: half of what word detectors cut out
    heading_share: float = 0.1
    form_share: float = 0.2  # fields, dates, numbers, addresses, contacts
    bill_share: float = 0.08  # goods and prices, wide gaps between them
    code_share: float = 0.04
    random_share: float = 0.03  # characters at random, so that no language is learnt by heart
    symbol_share: float = 0.05  # of the single words: a sign or two alone, as between the fields of a form
    accents: float = 0.04  # chance that an English word has accents, so that any letter is read beside any other
    # how it is set
    spacing: float = 0.35  # chance of gaps between words that are wider or narrower than the font says
    tracking: float = 0.2  # chance of letters set wider or tighter than the font says
    shaped: float = 0.15  # chance of kerning and ligatures as the font has them
    # how it lies in the crop
    neighbours: float = 0.5  # chance of other text around it: lines above and below, words cut off at its ends
    fragment: float = 0.05  # chance that a word's other half stands right beside it, outside of the crop
    rules: float = 0.15  # chance of rules and edges of boxes near it
    edges: float = 0.25  # chance of upright edges beside it: panels, posts, columns of a table, which are no letters
    crop_tight: float = 0.45
    crop_clipped: float = 0.12
    # what it stands on
    photographed: float = 0.3  # share of papers that lie before a camera, not under a scanner
    bitonal: float = 0.15  # share of scans in black and white
    blur: float = 0.45
    noise: float = 0.35
    jpeg: float = 0.45
    backgrounds: str | None = None  # a folder of photographs without text, behind signs; None: procedural textures
    height: tuple[int, int] = (10, 48)  # pixels of the finished picture; small ones oftener: words of forms have 14
    strength: float = 1.0  # multiplies the chance of every effect
    ease_in: int = 0  # over this many first samples `strength` grows from a fifth: an easier start for a fresh model

    def __post_init__(self):
        freeze_lists(self)
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type == "float":
                check_range(f"recipe: {field.name}", value, 0, 1)
        if not isinstance(self.characters, str):
            raise UserError(f"recipe: characters = {self.characters!r} must be text")
        object.__setattr__(self, "characters", compose(self.characters))
        if sum(self.shares.values()) > 1.0001:
            raise UserError(f"recipe: {', '.join(f'{kind}_share' for kind in self.shares)} add up to more than 1")
        check_whole("recipe: words_per_line", self.words_per_line, 1, 40)
        check_whole("recipe: ease_in", self.ease_in, 0)
        if len(self.height) != 2 or not 8 <= self.height[0] <= self.height[1]:
            raise UserError(f"recipe: height is {self.height}; it must be two numbers from 8 on, the smaller first")

    @property
    def shares(self) -> dict[str, float]:
        """How often each kind of text but prose is written."""
        kinds = ("word", "heading", "form", "bill", "code", "random")
        return {kind: getattr(self, f"{kind}_share") for kind in kinds}

    @functools.cached_property
    def lettering(self) -> WordRecipe:
        """How single words are written, and how signs are painted and photographed."""
        written = {"words": self.words, "characters": self.characters, "backgrounds": self.backgrounds}
        cases = {"upper_share": 0.3, "capital_share": 0.3, "lower_share": 0.35, "sign_share": 0.25}
        kinds = {"digits_share": 0.14, "mixed_share": 0.1, "random_share": 0.01, "punctuation_share": 0.12}
        crop = {"crop_tight": self.crop_tight, "crop_clipped": self.crop_clipped, "height": self.height}
        pose = {"rotation": 2.0, "perspective": 0.3, "curve": 0.1, "strength": self.strength}
        return WordRecipe(self.fonts, self.system_fonts, **written, **cases, **kinds, **crop, **pose)
