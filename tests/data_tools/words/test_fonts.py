"""Fonts: what is refused, what lacks characters, what they really draw."""

import logging
import shutil
import string
from random import Random

import pytest

from data_tools.errors import UserError
from data_tools.words import RenderedWords
from data_tools.words.fetch import families
from data_tools.words.fonts import Font, FontIndex, caption_font, family_kinds, family_of, font_files

LETTERS = string.ascii_letters + string.digits


def test_a_font_that_lacks_a_character_is_not_used_for_it(font_of):
    index = FontIndex([str(font_of("few.ttf", "ABEKQS")), str(font_of("many.ttf", LETTERS + "é"))])
    drawn = {index.draw(Random(seed), "SÉBAé".replace("É", "E")).path[-8:] for seed in range(20)}
    assert drawn == {"many.ttf"}, "words would be drawn with empty boxes"
    assert index.draw(Random(0), "ж") is None
    assert {index.draw(Random(seed), "BAKE").path[-7:] for seed in range(20)} == {"few.ttf", "any.ttf"}


@pytest.mark.parametrize("flavor", [None, "woff"])
def test_formats_of_the_web_open_like_others(font_of, flavor):
    font = Font(str(font_of(f"a.{flavor or 'ttf'}", LETTERS, flavor=flavor)))
    assert font.complaint() is None and font.has("Exit24") and not font.has("é")


@pytest.mark.parametrize("name", ["STIXNonUniBol.ttf", "cmsy10.ttf", "cmex10.ttf", "LastResortHE-Regular.ttf"])
def test_bundled_symbol_fonts_are_refused(name):
    from data_tools.words.fonts import bundled_folder

    with pytest.raises(UserError, match="no usable font"):
        FontIndex([str(bundled_folder() / name)])


def test_captions_have_accents():
    """An overlay of French or Polish would show boxes."""
    font = caption_font(20)
    box = bytes(font.getmask("\uffff"))
    drawn = {bytes(font.getmask(letter)) for letter in "£éÜß€łżñ„Жλ"}
    assert len(drawn) == 11 and box not in drawn


def test_a_font_that_draws_all_letters_alike_is_refused_whatever_its_name(font_of, caplog):
    alike = dict.fromkeys(LETTERS, "A")
    index = FontIndex([str(font_of("boxes.ttf", LETTERS, remap=alike))])
    assert index.draw(Random(1), "Exit") is None, "labels would be learnt for pictures without letters"
    assert "alike" in caplog.text


def test_a_font_without_letters_is_refused(font_of):
    assert Font(str(font_of("lines.ttf", "─│┌"))).complaint() == "has no letters"


def test_a_broken_font_is_one_line_in_the_log_and_skipped(font_of, only, caplog):
    good = font_of("good.ttf", LETTERS + string.punctuation)
    (good.parent / "broken.ttf").write_bytes(b"no font at all")
    (good.parent / "cut.otf").write_bytes(good.read_bytes()[:700])
    reader = RenderedWords(0, 25, only())
    with caplog.at_level(logging.WARNING):
        assert all(reader[i].text for i in range(25)), "one bad file would end a training"
    lines = [record.getMessage() for record in caplog.records if "broken.ttf" in record.getMessage()]
    assert len(lines) == 1 and "skipped" in lines[0]


def test_the_label_is_in_capitals_where_the_font_has_no_small_letters(font_of):
    capitals = {small: small.upper() for small in string.ascii_lowercase}
    font = Font(str(font_of("capitals.ttf", LETTERS, remap=capitals)))
    assert font.as_drawn("Exit24") == "EXIT24"
    assert Font(str(font_of("both.ttf", LETTERS))).as_drawn("Exit24") == "Exit24"


@pytest.mark.parametrize(
    "file, family",
    [
        ("lato-latin-700-italic.woff2", "lato"),
        ("baloo-2-latin-400-normal.woff2", "baloo-2"),
        ("Lato-BoldItalic.ttf", "lato"),
        ("DejaVuSans.ttf", "dejavusans"),
        ("Bold.ttf", "bold"),
    ],
)
def test_styles_of_a_family_count_as_one(file, family):
    assert family_of(f"/somewhere/{file}") == family


def test_a_folder_without_fonts_is_the_users_mistake(tmp_path):
    with pytest.raises(UserError, match="no font file"):
        font_files((str(tmp_path),))
    with pytest.raises(UserError, match="nowhere"):
        font_files((str(tmp_path / "nowhere"),))


def test_the_bundled_fonts_are_there_without_any_other():
    assert any(file.endswith("DejaVuSans.ttf") for file in font_files((), system=False))


def test_a_font_in_two_folders_counts_once(font_of, tmp_path):
    first = font_of("one.ttf", LETTERS)
    (tmp_path / "more").mkdir()
    shutil.copy(first, tmp_path / "more" / "one.ttf")
    assert len(font_files((str(first.parent), str(tmp_path / "more")), system=False)) == 1


def test_the_list_of_families_is_well_formed():
    kinds = family_kinds()
    assert len(kinds) >= 100 and families() == list(kinds)
    assert set(kinds.values()) == {"staple", "plain", "display", "hand"}
