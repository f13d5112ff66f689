"""Which layout of photographs with regions of text a path is."""

from __future__ import annotations

from pathlib import Path

from data_tools.readers.scenes.base import SceneReader
from data_tools.readers.scenes.ccpd import find_ccpd
from data_tools.readers.scenes.pairs import PairsReader, find_pairs
from data_tools.readers.scenes.synthtext import SynthTextReader, find_synthtext
from data_tools.readers.scenes.tables import find_table
from data_tools.readers.scenes.tagged import TaggedReader, find_tagged


def find_scenes(path: Path) -> SceneReader | None:
    """The reader of a folder or an annotation file, or None where it is none of photographs. Raises UserError where it
    is one that cannot be read, or one of several.
    """
    tagged = find_tagged(path)
    if tagged is not None:
        return TaggedReader(tagged)
    synthetic = find_synthtext(path)
    if synthetic is not None:
        return SynthTextReader(synthetic)
    found = find_table(path) or find_ccpd(path)
    if found is None and path.is_dir() and (pairs := find_pairs(path)) is not None:
        found = PairsReader(path, pairs)
    return found
