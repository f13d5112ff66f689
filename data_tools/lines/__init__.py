"""Lines of text as detectors cut them out of photographs and documents: `RenderedLines` is the reader."""

from data_tools.lines.recipe import Recipe
from data_tools.lines.rendered import RenderedLines

__all__ = ["Recipe", "RenderedLines"]
