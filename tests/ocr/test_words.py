"""Words of lines that were read whole, each with its place."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from crnn_jt.reading import Prediction
from ocr.reading import PhotoReader, ReadingOptions
from ocr.words import find_extents, split_words
from tests.ocr.pictures import KnownRegions, KnownTexts, box

SPANS = ((0.1, 0.12), (0.2, 0.25), (0.4, 0.5), (0.7, 0.75))


def test_words_end_where_the_recogniser_saw_the_space():
    """A tenth of the height on both sides of its middle, but never within a letter."""
    prediction = Prediction("ab c", 0.8, "ab c", (0.9, 1.0, 1.0, 0.8), spans=SPANS)
    first, second = split_words(prediction, box(0, 0, 200, 20))
    assert (first.text, second.text) == ("ab", "c")
    assert first.quad[0].tolist() == [0, 0] and second.quad[2].tolist() == [200, 20]
    assert first.quad[1, 0] == pytest.approx(87.6, abs=0.1) and second.quad[0, 0] == pytest.approx(92.4, abs=0.1)
    assert (first.confidence, second.confidence) == pytest.approx((0.9, 0.8))
    tall = find_extents(prediction, 4.0)
    assert tall == [(0.0, pytest.approx(0.25)), (pytest.approx(0.7), 1.0)]


def test_several_spaces_are_one_and_outer_ones_none():
    spans = ((0.0, 0.1), (0.1, 0.2), (0.2, 0.3), (0.4, 0.5), (0.8, 0.9), (0.9, 1.0))
    words = split_words(Prediction(" a  b ", 0.5, " a  b ", spans=spans), box(0, 0, 100, 10))
    assert [word.text for word in words] == ["a", "b"]
    assert words[0].quad[1, 0] <= 35 <= words[1].quad[0, 0]


def test_without_spans_all_characters_are_equally_wide():
    """Decoders do not say where they looked; a lexicon may have put other characters there."""
    words = split_words(Prediction("one four", 0.25, "on four", spans=SPANS), box(0, 0, 80, 10))
    assert [word.quad[:2, 0].tolist() for word in words] == [[0, 30], [40, 80]]
    assert [word.confidence for word in words] == [0.5, 0.5]


def test_perspective_narrows_the_far_words():
    quad = np.float32([[0, 0], [100, 20], [100, 60], [0, 80]])
    near, far = split_words(Prediction("ab cd", 0.9, "ab cd"), quad)
    assert near.quad[1, 0] - near.quad[0, 0] > far.quad[1, 0] - far.quad[0, 0]


def test_regions_of_lines_fill_the_page_as_words_do():
    """The gap between two words of one region parts no line, however wide."""
    regions = [box(10, 10, 190, 30), box(10, 36, 100, 56)]
    reader = PhotoReader(KnownRegions(regions), KnownTexts(["to   be", "or not"]))
    page = reader.read(Image.new("L", (200, 100)))
    assert page.text == "to be\nor not" and [len(line.words) for line in page.lines] == [2, 2]
    assert page.lines[0].quad.tolist() == regions[0].tolist()


def test_words_may_be_joined_to_lines_before_they_are_read():
    """For recognisers of lines behind detectors of words."""
    regions = [box(60, 11, 100, 30), box(10, 10, 50, 30), box(10, 50, 100, 70)]
    recognizer = KnownTexts(["to be", "or"])
    reader = PhotoReader(KnownRegions(regions), recognizer, options=ReadingOptions(cut="lines"))
    assert reader.read(Image.new("L", (200, 100))).text.split() == ["to", "be", "or"]
    assert recognizer.sizes == ((20, 90), (20, 90))


def test_a_long_line_is_text_where_each_word_is():
    """p(text | picture) of a line falls with its length."""
    region = KnownRegions([box(0, 0, 90, 10)])
    for text, count in (("a b c d e", 1), ("abcde", 0)):
        page = PhotoReader(region, KnownTexts([text], 0.05)).read(Image.new("L", (90, 10)))
        assert len(page.lines) == count


class OneLine(KnownTexts):
    """Reads the line of one picture, and its words where they are asked for apart."""

    def read(self, images, *args, **options) -> list[Prediction]:
        pieces = list(images)
        return KnownTexts(self.texts if len(pieces) == 1 else self.texts[0].split()).read(pieces, *args, **options)


def test_a_lexicon_is_asked_for_each_word_of_a_line():
    """Its words are no lines: a line is split where the spaces are seen, and each word is looked up."""
    reader = PhotoReader(KnownRegions([box(10, 10, 90, 30)]), OneLine(["tq be"]))
    page = reader.read(Image.new("L", (100, 40)), ["to", "bee"])
    assert page.text == "to bee" and [word.quad[0, 0] for word in page.words] == [10, 58]
