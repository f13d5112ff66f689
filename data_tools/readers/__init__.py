"""Readers: any data set as samples by position. `open_reader` finds out which kind a path is."""

from data_tools.readers.open import KINDS, Concatenated, layout_of, open_reader, open_readers, regions_of

__all__ = ["KINDS", "Concatenated", "layout_of", "open_reader", "open_readers", "regions_of"]
