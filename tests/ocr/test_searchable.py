"""PDFs with a text layer and hOCR, opened by other people's programs: each word at its place."""

from __future__ import annotations

import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from PIL import Image

from ocr.export import to_hocr
from ocr.page import Page, Piece, Word, make_lines
from ocr.searchable import write_pdf
from tests.ocr.pictures import box

TEXTS = ["Crème", "brûlée", "ΑΒΓδ", "日本語", "50%", "שלום"]
DPI = 100


def page(slant: float = 0.0) -> Page:
    """Words of 80x24 on three lines, turned about their beginnings."""
    pieces = []
    cosine, sine = np.cos(np.radians(slant)), np.sin(np.radians(slant))
    for number, text in enumerate(TEXTS):
        place = np.float32([20 + 90 * (number % 2), 20 + 80 * (number // 2)])
        quad = box(0, 0, 80, 24) @ np.float32([[cosine, sine], [-sine, cosine]]) + place
        pieces.append(Piece((Word(text, 0.9, quad),), quad, quad))
    return Page(300, 260, make_lines(pieces))


@pytest.fixture(scope="module")
def document(tmp_path_factory) -> Path:
    """Two pages, the second slanted, of a picture that says how large it is."""
    path = tmp_path_factory.mktemp("pdf") / "pages.pdf"
    image = Image.new("RGB", (300, 260), "white")
    image.info["dpi"] = (DPI, DPI)
    with open(path, "wb") as file:
        write_pdf(file, [(image, page()), (image, page(5.0))])
    return path


def place_of(word: Word) -> np.ndarray:
    """Left, top, right, bottom in points."""
    return np.concatenate([word.quad.min(0), word.quad.max(0)]) * 72 / DPI


def test_pdfium_finds_each_word_where_it_stands(document):
    """As a browser does: searched for, the rectangle that is marked lies on the word."""
    pages = pypdfium2.PdfDocument(document)
    assert len(pages) == 2 and pages[0].get_size() == pytest.approx((216, 187.2), abs=0.1)
    for sheet, known in zip(pages, (page(), page(5.0))):
        layer = sheet.get_textpage()
        for word in known.words:
            first, count = layer.search(word.text).get_next()
            boxes = np.array([layer.get_charbox(n, loose=True) for n in range(first, first + count)])
            left, bottom, right, top = *boxes[:, :2].min(0), *boxes[:, 2:].max(0)
            found = [left, sheet.get_height() - top, right, sheet.get_height() - bottom]
            np.testing.assert_allclose(found, place_of(word), atol=5)


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext (poppler-utils) is not installed")
@pytest.mark.parametrize("number", [1, 2])
def test_poppler_finds_each_word_where_it_stands(document, number):
    line = ["pdftotext", "-bbox", "-f", str(number), "-l", str(number), document, "-"]
    text = subprocess.run(line, capture_output=True, check=True, timeout=60).stdout.decode()
    pattern = r'<word xMin="(.*)" yMin="(.*)" xMax="(.*)" yMax="(.*)">(.*)</word>'
    found = {match[5]: [float(match[n]) for n in range(1, 5)] for match in re.finditer(pattern, text)}
    for word in page(5.0 * (number - 1)).words:
        text = word.text if word.text in found else word.text[::-1]  # Hebrew, with -bbox, is given as it is seen
        left, top, right, bottom = found[text]
        known = place_of(word)
        np.testing.assert_allclose([left, right], known[[0, 2]], atol=2)
        assert abs((top + bottom) / 2 - known[[1, 3]].mean()) < 8


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext (poppler-utils) is not installed")
def test_poppler_gives_words_of_a_line_on_one_line(document):
    """As who copies the text out of a viewer gets it, page by page."""
    text = subprocess.run(["pdftotext", document, "-"], capture_output=True, check=True, timeout=60).stdout.decode()
    for sheet in text.split("\f")[:2]:
        lines = [line for line in sheet.splitlines() if line]
        assert lines[:2] == ["Crème brûlée", "ΑΒΓδ 日本語"] and lines[2].startswith("50%")


def test_the_text_is_not_seen(document):
    """The picture looks as it did."""
    image = pypdfium2.PdfDocument(document)[0].render(scale=DPI / 72).to_pil()
    assert image.size == (300, 260) and np.asarray(image.convert("L")).min() > 250


def test_lxml_reads_hocr_as_other_programs_do():
    """What `hocr-check` of hocr-tools asks: lines in paragraphs in areas in pages, none on top of another; and words
    at their places.
    """
    html = pytest.importorskip("lxml.html", reason="lxml is not installed")
    known = page()
    tree = html.fromstring(to_hocr([("a.png", known)]).encode())
    for kind, around in (("ocrx_word", "ocr_line"), ("ocr_line", "ocr_par"), ("ocr_par", "ocr_carea")):
        pieces = tree.xpath(f"//*[@class='{kind}']")
        assert pieces and all(piece.xpath(f"./ancestor::*[@class='{around}']") for piece in pieces)
    words = {each.text_content(): each.get("title") for each in tree.xpath("//*[@class='ocrx_word']")}
    assert list(words) == [word.text for word in known.words]
    for word in known.words:
        found = [int(number) for number in re.findall(r"\d+", words[word.text])[:4]]
        np.testing.assert_allclose(found, [*word.quad.min(0), *word.quad.max(0)], atol=1)
    boxes = [re.findall(r"\d+", line.get("title"))[:4] for line in tree.xpath("//*[@class='ocr_line']")]
    assert len(boxes) == 3 and all(int(a[3]) <= int(b[1]) for a, b in pairwise(boxes))
