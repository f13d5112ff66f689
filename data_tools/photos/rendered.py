"""Photographs rendered from nothing but fonts, word lists and backgrounds: a reader without end, after SynthText.

Source: Gupta, Vedaldi, Zisserman, "Synthetic Data for Text Localisation in Natural Images" (CVPR 2016): text on the
surfaces of a photograph, with perspective and colours that can be told apart. Their depth maps are not needed here:
surfaces are drawn with what is on them.
"""

from __future__ import annotations

from random import Random

import cv2

from data_tools.photos.backdrop import Backdrops
from data_tools.photos.camera import photograph
from data_tools.photos.document import draw_document
from data_tools.photos.recipe import Recipe
from data_tools.photos.scene import Tools, draw_scene
from data_tools.rendering import Rendered
from data_tools.sample import Sample
from data_tools.words.fonts import font_index
from data_tools.words.wordlist import Writer


class Renderer:
    """A recipe with its fonts, words and backgrounds opened."""

    def __init__(self, recipe: Recipe):
        cv2.setNumThreads(1)  # several workers render at once
        fonts = font_index(recipe.fonts, recipe.system_fonts)
        writers = Writer(recipe.lettering), Writer(recipe.prose)
        self._tools = Tools(fonts, *writers, Backdrops(recipe.backgrounds), recipe)

    def sample(self, random: Random, key: str, recipe: Recipe) -> Sample:
        """One photograph or document from a random state."""
        if random.random() < recipe.documents:
            image, regions = draw_document(self._tools, random)
        else:
            picture, regions = draw_scene(self._tools, random)
            image = photograph(picture, random, recipe)
        text = " ".join(region.text for region in regions if region.legible)
        return Sample(image, text, key, regions=tuple(regions))


class RenderedScenes(Rendered):
    """`size` rendered photographs as a Reader.

    Pictures are in colour; regions are the words with their outlines, in reading order within each surface. A
    sample's text is its legible words, a space between them.
    """

    kind, recipe_type, renderer_type = "scenes", Recipe, Renderer

    def recipe_at(self, index: int) -> Recipe:
        """The same for all samples: nothing is eased in."""
        return self.recipe
