"""From a picture to a page with known regions, and the forms in which a page goes out."""

from __future__ import annotations

import json
import xml.etree.ElementTree as xml

import numpy as np
import pytest
from PIL import Image

import ocr
from crnn_jt import reading
from data_tools.errors import UserError
from data_tools.sample import Region
from ocr.export import draw_overlay, to_hocr, to_json
from ocr.reading import PhotoReader, ReadingOptions
from ocr.scores import Scores, normalise, split
from tests.ocr.pictures import KnownRegions, KnownTexts, KnownTurns, box, draw_words

WORDS = {(20, 20): "first", (76, 20): "line", (20, 52): "second", (20, 150): "apart"}


@pytest.fixture(scope="module")
def page():
    image, quads = draw_words(WORDS)
    order = [2, 0, 3, 1]
    texts = [list(WORDS.values())[place] for place in order]
    return PhotoReader(KnownRegions([quads[place] for place in order]), KnownTexts(texts)).read(image)


def test_words_become_lines_in_reading_order(page):
    assert [line.text for line in page.lines] == ["first line", "second", "apart"]
    assert page.text == "first line\nsecond\n\napart" and (page.width, page.height) == (400, 200)
    assert [word.text for word in page.words] == ["first", "line", "second", "apart"]


def test_the_recogniser_that_ships_reads_what_is_cut_out():
    """Crops are what it was trained on: upright, tight, in colour or grey."""
    words = {(20, 20): "HOTEL", (120, 20): "market", (20, 90): "london", (120, 90): "1984"}
    image, quads = draw_words(words)
    found = PhotoReader(KnownRegions(quads), reading.load("crnn-light")).read(image)
    assert found.text.split() == ["hotel", "market", "london", "1984"]
    assert all(word.confidence > 0.5 for word in found.words)


def test_text_that_runs_up_is_read_lying():
    recognizer = KnownTexts(["up", "level"])
    quads = [box(10, 10, 30, 110), box(40, 10, 200, 30)]
    page = PhotoReader(KnownRegions(quads), recognizer).read(Image.new("L", (220, 120)))
    corners = {word.text: word.quad[0].tolist() for word in page.words}
    assert recognizer.sizes == ((20, 100), (20, 160)) and corners == {"up": [10, 110], "level": [40, 10]}


def test_overturned_text_is_turned_round_where_that_is_certain():
    """The quad of a word on its head begins at its lower right."""
    quads = [box(10, 10, 90, 30), box(10, 50, 90, 70)]
    reader = PhotoReader(KnownRegions(quads), KnownTexts(["one", "two"]), KnownTurns([0.99, 0.0]))
    corners = {word.text: word.quad[0].tolist() for word in reader.read(Image.new("L", (100, 100))).words}
    assert corners == {"one": [90, 30], "two": [10, 50]}


def test_what_is_hardly_read_is_no_text():
    image, quads = draw_words(WORDS)
    assert PhotoReader(KnownRegions(quads), KnownTexts(list(WORDS.values()), 0.1)).read(image).lines == ()
    assert PhotoReader(KnownRegions(quads[:1]), KnownTexts([""])).read(image).text == ""


def test_what_is_only_found_is_what_the_detector_is_sure_of():
    """Words on one level are a line, no recogniser is asked, and what might be a window or a brick is left out."""
    quads = [box(0, 0, 40, 20), box(45, 0, 90, 20), box(0, 50, 40, 70)]
    page = PhotoReader(KnownRegions(quads, scores=[0.8, 0.7, 0.62]), None).find(Image.new("L", (100, 100)))
    assert [line.quad.tolist() for line in page.lines] == [[[0, 0], [90, 0], [90, 20], [0, 20]]]
    assert page.text.strip() == "" and page.lines[0].confidence == 0.7


def test_nothing_found_is_an_empty_page():
    """A photograph without text is no mistake."""
    reader = PhotoReader(KnownRegions([]), KnownTexts([]))
    page = reader.read(np.zeros((1, 1), np.uint8))
    assert page.lines == () and page.text == "" and (page.width, page.height) == (1, 1)
    assert [each.width for each in reader.read([Image.new("RGB", (5, 4))] * 2)] == [5, 5]


@pytest.mark.parametrize(
    "size, height, factors",
    [
        ((2560, 90), 20, [0, 1]),
        ((2560, 90), 40, [0]),
        ((900, 90), 8, [0]),
        ((600, 90), 8, [0, 2]),
        ((600, 90), 15, [0]),
    ],
)
def test_tiny_text_is_looked_at_again_from_closer(size, height, factors):
    """Large pictures at their own size, small ones enlarged; where text is not tiny, once is enough."""
    detector = KnownRegions([box(20, 10, 300, 10 + height)])
    reader = PhotoReader(detector, KnownTexts(["text"]), options=ReadingOptions(angle=0))
    page = reader.read(Image.new("L", size))
    assert [look.factor for look in detector.looks] == factors
    assert page.scale == (factors[-1] or (0.5 if size[0] > 2000 else 1.0))


def test_what_is_found_beyond_the_edge_is_in_the_picture():
    page = PhotoReader(KnownRegions([box(-8, -3, 60, 25)]), KnownTexts(["edge"])).read(Image.new("L", (50, 20)))
    assert page.words[0].quad.tolist() == [[0, 0], [50, 0], [50, 20], [0, 20]]
    assert page.lines[0].quad.min() >= 0 and page.lines[0].polygon.max() <= 50


def test_a_gigantic_picture_is_refused_in_one_line(tmp_path):
    """100 megapixels, and a few bytes that claim to be as many."""
    Image.new("1", (10_000, 10_000)).save(tmp_path / "huge.png")
    with pytest.raises(UserError, match=r"huge.png.*too large"):
        PhotoReader(KnownRegions([]), KnownTexts([])).read(tmp_path / "huge.png")


def test_a_photograph_is_read_as_it_is_seen(tmp_path):
    """A telephone held upright says so in EXIF: width and height are those that people see."""
    image, exif = Image.new("RGB", (60, 40), "white"), Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "held.jpg", exif=exif)
    page = PhotoReader(KnownRegions([]), KnownTexts([])).read(tmp_path / "held.jpg")
    assert (page.width, page.height) == (40, 60)


def test_models_that_are_not_there_are_named():
    for options, mentioned in (({"models": "huge"}, "--models huge"), ({"direction": "no-such"}, "no-such")):
        with pytest.raises(UserError, match=mentioned):
            ocr.load(**options)
    with pytest.raises(UserError, match="not a detector"):
        ocr.load(detector="crnn-light")


def test_json_holds_what_the_design_says(page):
    values = json.loads(json.dumps(to_json("a.jpg", page)))
    assert list(values) == ["path", "page", "width", "height", "angle", "scale", "lines"]
    line = values["lines"][0]
    assert list(line) == ["text", "confidence", "quad", "block", "paragraph", "words"]
    assert list(line["words"][1]) == ["text", "confidence", "quad"] and line["words"][1]["text"] == "line"
    assert np.shape(line["quad"]) == (4, 2) and values["path"] == "a.jpg" and values["page"] == 1


def test_hocr_is_well_formed_and_has_every_word_at_its_place(page):
    """Other people's programs read it: page, area, paragraph, line, word, each with its box."""
    tree = xml.fromstring(to_hocr([("a<b>.jpg", page), ("b.jpg", page)]).split("?>", 1)[1].split(">", 1)[1])
    spans = [each for each in tree.iter() if each.get("class")]
    kinds = [each.get("class") for each in spans]
    counts = {kind: kinds.count(kind) for kind in set(kinds)}
    assert counts == {"ocr_page": 2, "ocr_carea": 4, "ocr_par": 4, "ocr_line": 6, "ocrx_word": 8}
    word = next(each for each in spans if each.text == "line")
    left, top, right, bottom = map(int, word.get("title").split(";")[0].split()[1:])
    assert left < 80 < right and top < 30 < bottom and word.get("title").endswith("x_wconf 90")
    names = [each.get("id") for each in tree.iter() if each.get("id")]
    assert len(names) == len(set(names))


def test_the_overlay_shows_outlines_and_texts(page):
    image, _ = draw_words(WORDS)
    drawn = np.asarray(draw_overlay(image, page)).astype(int)
    greenish, reddish = drawn[..., 1] - drawn[..., 0] > 100, drawn[..., 0] - drawn[..., 1] > 100
    assert drawn.shape == (200, 400, 3) and greenish.sum() > 200 and reddish.sum() > 50


def test_scores_count_regions_words_and_characters(page):
    truths = [
        Region(page.words[0].quad, "First"),
        Region(page.words[1].quad, "lime"),
        Region(page.words[2].quad, "###", False),
        Region(box(300, 5, 390, 30), "missed"),
    ]
    scores = Scores()
    scores.add(page, truths)
    values = scores.values()
    assert values["detection"] == dict.fromkeys(("recall", "precision", "hmean"), pytest.approx(200 / 3))
    assert values["end_to_end"]["none"]["recall"] == pytest.approx(100 / 3)
    assert values["words"]["recall"] == pytest.approx(100 / 3) and values["n"] == 1
    # "first line apart" for "first lime missed"
    assert values["cer"] == pytest.approx(100 * 7 / 17, abs=6)


def test_words_are_compared_as_letters_and_digits():
    assert normalise("It's 5%!") == "its5" and split("Hello, - World") == ["hello", "world"]
