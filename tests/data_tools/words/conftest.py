"""Fonts made for the tests: pieces of the bundled DejaVu Sans."""

from pathlib import Path

import pytest
from fontTools import subset
from fontTools.ttLib import TTFont

from data_tools.words import Recipe
from data_tools.words.fonts import bundled_folder

DEJAVU = bundled_folder() / "DejaVuSans.ttf"


def piece(path: Path, characters: str, flavor: str | None = None, remap: dict[str, str] | None = None) -> Path:
    """Writes a font that has only `characters`; with `remap` it draws some characters as others."""
    font = TTFont(DEJAVU)
    chosen = subset.Subsetter(subset.Options(notdef_outline=True, hinting=False))
    chosen.populate(text=characters)
    chosen.subset(font)
    for table in font["cmap"].tables:
        for drawn, shown in (remap or {}).items():
            table.cmap[ord(drawn)] = table.cmap[ord(shown)]
    font.flavor = flavor
    path.parent.mkdir(parents=True, exist_ok=True)
    font.save(path)
    return path


@pytest.fixture
def font_of(tmp_path):
    return lambda name, characters, **how: piece(tmp_path / "fonts" / name, characters, **how)


@pytest.fixture
def only(tmp_path):
    """A recipe that draws from the folder of `font_of` alone, with other values as given."""
    return lambda **values: Recipe(fonts=(str(tmp_path / "fonts"),), system_fonts=False, **values)
