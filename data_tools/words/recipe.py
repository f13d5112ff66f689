"""What a rendered data set is made of: plain values, so that a recipe travels through YAML, pickles and metadata."""

from __future__ import annotations

from dataclasses import dataclass, fields

from data_tools.checks import check_range, check_whole
from data_tools.errors import UserError
from data_tools.recipes import EasedRecipe, freeze_lists
from data_tools.text import compose

PRINTABLE = "".join(map(chr, range(33, 127)))
QUOTES = "“”‘’"
_MOST = 30
"""Chances are at most 1, but factors of them and degrees of rotation may be larger; beyond this it is a mistake."""


@dataclass(frozen=True)
class Recipe(EasedRecipe):
    """Word images, described. Shares and chances are 0-1; lengths are in capital heights; angles in degrees."""

    # what is written
    fonts: tuple[str, ...] = ()  # folders or files besides the system's fonts and the bundled ones
    system_fonts: bool = True
    words: str | None = None  # a word list or a Hunspell .dic (its .aff in the same folder); None: the list that ships
    characters: str = PRINTABLE + QUOTES  # words with others are left out; "" allows whatever the fonts have
    words_per_line: int = 1  # up to this many words, a space between them
    sign_share: float = 0.36  # names, shops, brands: the vocabulary of signs that ships; none with a list of yours
    digits_share: float = 0.09
    mixed_share: float = 0.08  # road numbers, opening hours, prices, ordinals, addresses of the web
    random_share: float = 0.03  # letters at random, so that no word list is learnt by heart
    short_words: float = 0.45  # chance, thrice, that another word is written if it is shorter: signs are brief
    punctuation_share: float = 0.05  # a comma, quotes, a full stop … at its end or inside the word
    upper_share: float = 0.48
    capital_share: float = 0.28
    lower_share: float = 0.19  # what is left keeps the case of the list
    # how it is written
    shaped: float = 0.3  # chance of kerning, ligatures and joins as the font has them (always outside of Latin)
    tracking: float = 0.35  # chance of letters set wider or tighter than the font says
    first_larger: float = 0.14  # chance that a word of capitals has a larger first letter, at times a larger last one
    jitter: float = 0.05  # chance of letters off the line, as on hand-made signs
    width: float = 0.6  # standard deviation of the logarithm of the stretch, in thirds
    slant: float = 0.15  # chance of a sheared face
    weight: float = 0.15  # chance of strokes made a little fuller or thinner than the font has them
    # the face of the letters
    border: float = 0.18
    shadow: float = 0.20
    outline: float = 0.06
    relief: float = 0.10
    extrusion: float = 0.13
    dots: float = 0.015
    two_tone: float = 0.06  # chance of letters that change their level within the word
    rules: float = 0.07  # chance of a line under the word, or lines above and below
    letter_texture: float = 0.22  # a texture, a slope of levels, or the horizon of polished metal in the letters
    engraved: float = 0.04  # chance of cut or raised letters of the background's own level: only their edges are seen
    worn: float = 0.03  # chance of paint lost in patches
    low_contrast: float = 0.15
    # the picture around it
    graphic: float = 0.25  # share drawn, not photographed: a plain background, no lens, no light, no sensor
    backgrounds: str | None = None  # a folder of photographs without text; None: procedural textures
    plain: float = 0.30  # chance of a plain background
    split: float = 0.06  # chance that the background changes its level behind the word, as at the edge of a wall
    occlusion: float = 0.04  # chance of a pole, a fence or a branch before the word
    neighbours: float = 0.30
    clutter: float = 0.15
    crop_tight: float = 0.42
    crop_clipped: float = 0.18
    # geometry
    rotation: float = 3.0
    perspective: float = 0.35
    curve: float = 0.16
    half_circle: float = 0.0  # chance of a word bent to between a quarter and half of a circle
    waves: float = 0.0  # chance of a base line that rises and falls by a quarter to a half of the letters' height
    receding: float = 0.0  # chance of one end of the word far off: down to a fifth as high as the other
    badge: float = 0.0  # chance of a word along the rim of a round badge, bent between two rings
    # the camera
    light: float = 0.38
    glare: float = 0.035  # chance of a reflection that outshines a part of the word
    blur: float = 0.45
    sharpen: float = 0.20  # chance of edges sharpened, with a halo, as cameras and downsized photographs have them
    noise: float = 0.22
    jpeg: float = 0.32
    low_resolution: float = 0.25
    height: tuple[int, int] = (18, 48)  # pixels of the finished image
    strength: float = 1.0  # multiplies every chance of an effect; 0 leaves plain words on a plain background
    ease_in: int = 0  # over this many first samples `strength` grows from a fifth: an easier start for a fresh model

    def __post_init__(self):
        freeze_lists(self)
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type == "float":
                check_range(f"recipe: {field.name}", value, 0, _MOST)
            if field.type == "str" and not isinstance(value, str):
                raise UserError(f"recipe: {field.name} = {value!r} must be text")
        object.__setattr__(self, "characters", compose(self.characters))
        if self.sign_share + self.digits_share + self.mixed_share + self.random_share > 1.0001:
            raise UserError("recipe: sign_share, digits_share, mixed_share and random_share add up to more than 1")
        if self.upper_share + self.capital_share + self.lower_share > 1.0001:
            raise UserError("recipe: upper_share, capital_share and lower_share add up to more than 1")
        check_whole("recipe: words_per_line", self.words_per_line, 1, 20)
        check_whole("recipe: ease_in", self.ease_in, 0)
        if len(self.height) != 2:
            raise UserError(f"recipe: height is {self.height!r}; it must be two whole numbers of pixels")
        for pixels in self.height:
            check_whole("recipe: height", pixels, 8)
        if self.height[0] > self.height[1]:
            raise UserError(f"recipe: height is {self.height}; the smaller number comes first")
