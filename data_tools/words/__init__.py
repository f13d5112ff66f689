"""Word images from fonts and word lists: `RenderedWords` is the reader, `Recipe` says what they are made of."""

from data_tools.words.recipe import Recipe
from data_tools.words.rendered import RenderedWords

__all__ = ["Recipe", "RenderedWords"]
