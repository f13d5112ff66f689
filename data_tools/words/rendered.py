"""Word images rendered from nothing but fonts and word lists: a reader without end, after MJSynth's recipe.

Source: Jaderberg, Simonyan, Vedaldi, Zisserman, "Synthetic Data and Artificial Neural Networks for Natural Scene Text
Recognition" (2014): font, border and shadow, base colouring, projective distortion, blending with pictures, noise.
"""

from __future__ import annotations

from random import Random

import numpy as np

from data_tools.rendering import Rendered
from data_tools.sample import CorruptSample, Sample
from data_tools.words.degrade import camera, screen
from data_tools.words.face import paint
from data_tools.words.fonts import CAPITAL_HEIGHT, Font, FontIndex, font_index
from data_tools.words.lettering import Line, Pose, crop_box, join, set_line
from data_tools.words.recipe import Recipe
from data_tools.words.textures import Textures
from data_tools.words.wordlist import Writer


class Renderer:
    """A recipe with its fonts, words and backgrounds opened."""

    def __init__(self, recipe: Recipe):
        self._fonts: FontIndex = font_index(recipe.fonts, recipe.system_fonts)
        self._writer = Writer(recipe)
        self._textures = Textures(recipe.backgrounds)

    def sample(self, random: Random, key: str, recipe: Recipe) -> Sample:
        """One sample from a random state, with the effects of `recipe`.

        Raises CorruptSample where no font has the word's characters.
        """
        font, text = self._font_and_text(random, key)
        badge = bool(recipe.badge) and random.random() < recipe.badge * recipe.strength
        lines = self._lines(font, text, random, recipe)
        alone, everything = join([lines[0], *_rings(lines[0][0], random)] if badge else lines)
        if alone.size == 0:
            raise CorruptSample(key, f"{font.path} draws nothing for {text!r}")
        masks = Pose.draw(random, recipe, badge).warp([alone] if everything is None else [alone, everything])
        box = crop_box(masks[0], random, recipe)
        drawn = random.random() < recipe.graphic
        picture = paint(np.asarray(masks[-1].crop(box)), random, recipe, None if drawn else self._textures)
        return Sample((screen if drawn else camera)(picture, random, recipe), text, key)

    def _font_and_text(self, random: Random, key: str) -> tuple[Font, str]:
        for _ in range(10):
            text = self._writer.text(random)
            font = self._fonts.draw(random, text)
            if font is not None:
                return font, font.as_drawn(text)
        raise CorruptSample(key, f"no font at hand has all characters of {text!r}, nor of nine words before")

    def _lines(self, font: Font, text: str, random: Random, recipe: Recipe) -> list[tuple[Line, int, int]]:
        """The word's line, and now and then words around it: (line, left end, base line)."""
        word = set_line(font, text, random, recipe)
        lines = [(word, 0, 0), *_rules(word.mask.shape[1], random, recipe)]
        if random.random() >= recipe.neighbours * recipe.strength:
            return lines
        space, leading = round(CAPITAL_HEIGHT * random.uniform(0.12, 0.7)), CAPITAL_HEIGHT * random.uniform(1.15, 1.9)
        width = word.mask.shape[1]
        for side in random.choice(("l", "r", "lr", "u", "d", "ud", "d", "lrud")):
            other = self._neighbour(font, random, recipe)
            if other is None:
                continue
            across = other.mask.shape[1]
            place = {
                "l": (-space - across, 0),
                "r": (width + space, 0),
                "u": (round(random.uniform(-across, width)), -round(leading)),
                "d": (round(random.uniform(-across, width)), round(leading)),
            }[side]
            lines.append((other, *place))
        return lines

    def _neighbour(self, font: Font, random: Random, recipe: Recipe) -> Line | None:
        text = self._writer.word(random)
        if not font.has(text):
            return None
        line = set_line(font, text, random, recipe)
        return line if line.mask.size and np.any(line.mask) else None


def _rings(word: Line, random: Random) -> list[tuple[Line, int, int]]:
    """The rims of a badge above and below the word, a little longer than it, where it is bent with them."""
    height, width = word.mask.shape
    away, thick = round(CAPITAL_HEIGHT * random.uniform(0.15, 0.4)), random.choice((1, 2, 3, 4))
    beyond = round(width * random.uniform(0.02, 0.15))
    rim = Line(np.full((thick, width + 2 * beyond), 255, np.uint8), 0)
    return [(rim, -beyond, -word.baseline - away - thick), (rim, -beyond, height - word.baseline + away)]


def _rules(width: int, random: Random, recipe: Recipe) -> list[tuple[Line, int, int]]:
    """Now and then a rule under the word, or one above too."""
    if random.random() >= recipe.rules * recipe.strength:
        return []
    thick, beyond = random.choice((1, 2, 2, 3, 5)), round(random.uniform(0, 30))
    rule = Line(np.full((thick, width + 2 * beyond), 255, np.uint8), 0)
    away = CAPITAL_HEIGHT * random.uniform(0.12, 0.45)
    above = [(rule, -beyond, round(-CAPITAL_HEIGHT - away - thick))] if random.random() < 0.35 else []
    return [(rule, -beyond, round(away)), *above]


class RenderedWords(Rendered):
    """`size` rendered words as a Reader. The text is what is drawn, case kept."""

    kind, recipe_type, renderer_type = "words", Recipe, Renderer
