"""Photographs and documents with text, drawn from fonts, word lists and backgrounds: `RenderedScenes` is the reader."""

from data_tools.photos.recipe import Recipe
from data_tools.photos.rendered import RenderedScenes

__all__ = ["Recipe", "RenderedScenes"]
