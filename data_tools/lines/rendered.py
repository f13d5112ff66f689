"""Pictures of one line of text as detectors cut them out, rendered from fonts and word lists: a reader without end.

After MJSynth's recipe for words (Jaderberg et al. 2014), widened to lines and to documents: a line is written
(`writer`), set with what stands around it (`setting`), seen from somewhere, cut out, and put on a sign
(`data_tools.words`), on paper or on a screen (`paper`).
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from random import Random

import numpy as np
from PIL import Image

from data_tools.lines import paper
from data_tools.lines.recipe import Recipe
from data_tools.lines.setting import Setter, Style, Surroundings, set_text
from data_tools.lines.writer import LineWriter, Written
from data_tools.rendering import Rendered
from data_tools.sample import CorruptSample, Sample
from data_tools.words.degrade import camera, screen
from data_tools.words.face import paint
from data_tools.words.fonts import WEIGHTS, Font, font_index
from data_tools.words.lettering import Line, Pose, crop_box, join, set_line
from data_tools.words.textures import Textures

_MONOSPACED = re.compile(r"mono|courier|typewriter|cutive|vt323|code|inconsol|console|terminal|anonymous|share-tech")
_TEX = re.compile(r"^cm[a-z]+\d+$")
"""Computer Modern as TeX encodes it, bundled with matplotlib: Σ is drawn for §, ¡ for <."""
_PRINT = {"staple": 5.0, "plain": 3.0, "display": 0.15, "hand": 0.3}
"""How often a family is drawn for documents, by its kind."""
_TYPED = 0.2
"""Of papers, those from a typewriter or a line printer."""
_LOOKS = {
    "word": {"sheet": 0.42, "thermal": 0.06, "screen": 0.1, "sign": 0.42},
    "prose": {"sheet": 0.82, "screen": 0.14, "sign": 0.04},
    "heading": {"sheet": 0.35, "screen": 0.1, "sign": 0.55},
    "form": {"sheet": 0.65, "thermal": 0.08, "screen": 0.12, "sign": 0.15},
    "bill": {"sheet": 0.3, "thermal": 0.7},
    "code": {"sheet": 0.4, "screen": 0.6},
    "random": {"sheet": 0.5, "thermal": 0.1, "screen": 0.2, "sign": 0.2},
}
"""What each kind of text stands on."""
_STEEPEST = 0.5
"""Of its height, how far a line may rise or sag from end to end: detectors cut along the text."""


class Renderer:
    """A recipe with its fonts, words and backgrounds opened."""

    def __init__(self, recipe: Recipe):
        fonts = font_index(recipe.fonts, recipe.system_fonts)
        fonts = fonts.weigh(lambda family, kind: 0 if _TEX.match(family) else WEIGHTS[kind])
        typed = fonts.weigh(lambda family, kind: 1.0 if _MONOSPACED.search(family) else 0.03 * _PRINT[kind])
        printed = fonts.weigh(lambda family, kind: _PRINT[kind])
        self._fonts = {"sign": fonts, "sheet": printed, "thermal": typed, "screen": printed, "typed": typed}
        self._writer, self._textures = LineWriter(recipe), Textures(recipe.backgrounds)
        self._setter = Setter(self._writer)

    def sample(self, random: Random, key: str, recipe: Recipe) -> Sample:
        """One sample from a random state, with the effects of `recipe`.

        Raises CorruptSample where no font has the text's characters.
        """
        written, look, font = self._write(random, key)
        text, style = font.as_drawn(written.text), Style.draw(random, recipe)
        line = self._set(font, text, look, random, recipe, style)
        if not line.mask.size:
            raise CorruptSample(key, f"{font.path} draws nothing for {text!r}")
        around = self._setter.surround(line, font, random, recipe, style)
        image = self._draw(line, around, look, random, recipe)
        return Sample(image, " ".join(text.split()), key)

    def _write(self, random: Random, key: str) -> tuple[Written, str, Font]:
        """A text, what it stands on, and a font that has its characters."""
        for _ in range(10):
            written = self._writer.write(random)
            shares = _LOOKS[written.kind]
            look = random.choices(list(shares), list(shares.values()))[0]
            typed = written.kind == "code" or (look == "sheet" and random.random() < _TYPED)
            font = self._fonts["typed" if typed else look].draw(random, written.text)
            if font is not None:
                return written, look, font
        raise CorruptSample(key, f"no font at hand has all characters of {written.text!r}, nor of nine texts before")

    def _set(self, font: Font, text: str, look: str, random: Random, recipe: Recipe, style: Style) -> Line:
        if look == "sign" and " " not in text:
            return set_line(font, text, random, recipe.lettering)
        return set_text(font, text, random, style)

    def _draw(self, line: Line, around: Surroundings, look: str, random: Random, recipe: Recipe) -> Image.Image:
        """The line seen, cut out, and given its face and ground."""
        words, before_camera = recipe.lettering, random.random() < recipe.photographed
        alone, everything = join([(line, 0, 0), *around.placed])
        masks = [alone] if everything is None else [alone, everything]
        pose = _draw_pose(line.mask.shape, look, before_camera, random, recipe)
        seen = pose.warp(masks) if pose else list(map(Image.fromarray, masks))
        ink = seen[-1].crop(_box(seen[0], around, random, recipe))
        if look == "sign":
            drawn = random.random() < words.graphic
            picture = paint(np.asarray(ink), random, words, None if drawn else self._textures)
            return (screen if drawn else camera)(picture, random, words)
        if look == "screen":
            return paper.show(ink, random, recipe)
        press = paper.print_thermal if look == "thermal" else paper.print_sheet
        return press(ink, random, recipe, self._textures, before_camera)


def _box(alone: Image.Image, around: Surroundings, random: Random, recipe: Recipe) -> tuple[int, int, int, int]:
    """The crop around the line's ink; of a word at its end it shows a sliver at most."""
    left, top, right, bottom = crop_box(alone, random, recipe.lettering)
    inner = alone.getbbox() or (0, 0, *alone.size)
    before, after = around.reach
    left, right = round(max(left, inner[0] - before)), round(min(right, inner[2] + after))
    return left, top, max(right, left + 4), bottom  # a narrow sign may be clipped on one side and hemmed on the other


def _draw_pose(shape: tuple[int, int], look: str, before_camera: bool, random: Random, recipe: Recipe) -> Pose | None:
    """How the line is seen: signs from anywhere, paper before a camera nearly flat, scans and screens mostly straight
    (None).
    """
    height, width = shape
    steepest = _STEEPEST * height / width  # radians, that a long line stays within its crop
    if look == "sign":
        pose = Pose.draw(random, recipe.lettering)
        arc = math.copysign(min(abs(pose.arc), 8 * steepest), pose.arc)
        return replace(pose, angle=_clip(pose.angle, max(steepest, 0.02)), arc=arc)
    crooked = (0.9 if before_camera and look != "screen" else 0.35) * recipe.strength
    if random.random() >= crooked:
        return None
    stretch = math.exp(random.gauss(0, 0.12))
    angle = _clip(math.radians(random.gauss(0, 1.2)), steepest)
    shear = random.gauss(0, 0.06)
    corners, arc = (0.0,) * 8, 0.0
    if before_camera and look != "screen":
        if random.random() < 0.4:
            corners = tuple(random.uniform(-0.1, 0.1) for _ in range(8))
        if random.random() < 0.2:  # a sheet that does not lie flat
            arc = random.uniform(0.5, 6) * steepest * random.choice((1, -1))
    return Pose(stretch, shear, angle, corners, arc, 0.0, 0.0)


def _clip(value: float, most: float) -> float:
    return max(-most, min(most, value))


class RenderedLines(Rendered):
    """`size` rendered lines as a Reader. The text is what is drawn, case kept, one space for each gap."""

    kind, recipe_type, renderer_type = "lines", Recipe, Renderer
