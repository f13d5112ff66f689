"""PDFs that can be searched: pictures, and over each the text that was read, invisible, where it stands.

Written with PDFium (pypdfium2). Each word is set in a font without outlines, one em high and half an em a character
wide, and its quad follows from the text matrix alone: any script, any slant, and nothing to embed but widths.
"""

from __future__ import annotations

import ctypes
import unicodedata
from collections.abc import Iterable
from io import BytesIO
from typing import BinaryIO

import numpy as np
import pypdfium2
from fontTools.fontBuilder import FontBuilder
from fontTools.ttLib.tables._g_l_y_f import Glyph
from PIL import Image
from pypdfium2 import raw

from ocr.documents import DPI
from ocr.page import Page, Word

EM, ADVANCE = 1000, 500
QUALITY = 90
"""Of the pictures, which are stored as JPEG."""
PLAUSIBLE = (50, 1300)
"""Dots an inch; what a picture says beyond is taken for no statement of its size."""

NEARLY = 8.0
"""Degrees: text slanted by less is set level."""


def write_pdf(file: BinaryIO, pages: Iterable[tuple[Image.Image, Page]]) -> None:
    """Writes a document with a page for each picture, as large as the picture's `info["dpi"]` says, else as at 200."""
    document = pypdfium2.PdfDocument.new()
    try:
        for image, page in pages:
            _add_page(document, image, page)
        document.save(file)
    finally:
        document.close()


def _add_page(document: pypdfium2.PdfDocument, image: Image.Image, page: Page) -> None:
    dpi = _dpi_of(image)
    size = image.width * 72 / dpi[0], image.height * 72 / dpi[1]
    sheet = document.new_page(*size)
    content = BytesIO()
    image.convert("RGB").save(content, format="JPEG", quality=QUALITY)
    picture = pypdfium2.PdfImage.new(document)
    picture.load_jpeg(content, inline=True)
    picture.set_matrix(pypdfium2.PdfMatrix().scale(*size))
    sheet.insert_obj(picture)
    words = [word for word in page.words if word.text]
    if words:
        font = _embed(document, make_font({character for word in words for character in word.text}))
        for word in words:
            _insert_word(document, sheet, font, word, np.array(size) / image.size)
        raw.FPDFFont_Close(font)
    sheet.gen_content()
    sheet.close()


def _dpi_of(image: Image.Image) -> tuple[float, float]:
    try:
        x, y = map(float, image.info["dpi"])
    except (KeyError, TypeError, ValueError):
        return DPI, DPI
    low, high = PLAUSIBLE
    return (x, y) if low <= x <= high and low <= y <= high else (DPI, DPI)


def make_font(characters: set[str]) -> bytes:
    """A TrueType font in which each of these characters has a glyph of its own, all of them empty."""
    names = {ord(character): f"u{ord(character):04X}" for character in sorted(characters)}
    builder = FontBuilder(EM)
    glyphs = [".notdef", *names.values()]
    builder.setupGlyphOrder(glyphs)
    builder.setupCharacterMap(names)
    builder.setupGlyf({name: Glyph() for name in glyphs})
    builder.setupHorizontalMetrics(dict.fromkeys(glyphs, (ADVANCE, 0)))
    builder.setupHorizontalHeader(ascent=EM, descent=0)
    builder.setupNameTable({"familyName": "Invisible", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=EM, sTypoDescender=0, usWinAscent=EM, usWinDescent=0)
    builder.setupPost()
    content = BytesIO()
    builder.font.save(content)
    return content.getvalue()


def _embed(document: pypdfium2.PdfDocument, font: bytes):
    content = (ctypes.c_ubyte * len(font)).from_buffer_copy(font)
    return raw.FPDFText_LoadFont(document, content, len(font), raw.FPDF_FONT_TRUETYPE, True)


def _insert_word(
    document: pypdfium2.PdfDocument, sheet: pypdfium2.PdfPage, font, word: Word, scale: np.ndarray
) -> None:
    """Sets a word into its quad; PDF's y runs upwards, `scale` are points a pixel."""
    corners = _level(word.quad.astype(np.float64) * scale)
    corners[:, 1] = sheet.get_height() - corners[:, 1]
    origin, up = corners[3], corners[0] - corners[3]
    along = (corners[2] - corners[3]) / (ADVANCE / EM * len(word.text))
    text = raw.FPDFPageObj_CreateTextObj(document, font, 1.0)
    encoded = (_as_seen(word.text) + "\0").encode("utf-16-le")
    raw.FPDFText_SetText(text, ctypes.cast(encoded, raw.FPDF_WIDESTRING))
    raw.FPDFTextObj_SetTextRenderMode(text, raw.FPDF_TEXTRENDERMODE_INVISIBLE)
    raw.FPDFPageObj_Transform(text, *along, *up, *origin)
    raw.FPDFPage_InsertObject(sheet, text)


def _as_seen(text: str) -> str:
    """The characters from left to right, as PDF has them: Hebrew and Arabic run the other way."""
    return text[::-1] if any(unicodedata.bidirectional(character) in ("R", "AL") for character in text) else text


def _level(quad: np.ndarray) -> np.ndarray:
    """The quad, one that is nearly level or upright turned about its middle to be so: programs that extract text take
    the letters of slightly slanted words apart.
    """
    along = quad[1] - quad[0] + quad[2] - quad[3]
    slant = np.degrees(np.arctan2(along[1], along[0]))
    off = slant - 90 * round(slant / 90)
    if abs(off) > NEARLY:
        return quad
    cosine, sine = np.cos(np.radians(off)), np.sin(np.radians(off))
    middle = quad.mean(0)
    return (quad - middle) @ np.array([[cosine, -sine], [sine, cosine]]) + middle
