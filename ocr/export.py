"""Pages in the forms that people use: JSON, text, a picture with what was found, hOCR.

Source of hOCR: Breuel, "The hOCR microformat", version 1.2: ocr_page, ocr_carea, ocr_par, ocr_line, ocrx_word.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from data_tools.images import split_page
from data_tools.text import printable
from data_tools.words.fonts import caption_font
from ocr.page import Line, Page, Word

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
<head>
<title></title>
<meta http-equiv="Content-Type" content="text/html; charset=utf-8"/>
<meta name="ocr-system" content="crnn-jt ocr"/>
<meta name="ocr-capabilities" content="ocr_page ocr_carea ocr_par ocr_line ocrx_word"/>
</head>
<body>
"""


def to_json(path: str | Path, page: Page) -> dict[str, Any]:
    """A page as plain values, lines in reading order; quads from the top left as read, in pixels. `scan.pdf#2` is page
    2.
    """
    return {
        "path": printable(path),
        "page": split_page(path)[1],
        "width": page.width,
        "height": page.height,
        "angle": page.angle,
        "scale": round(page.scale, 4),
        "lines": [_line_values(line) for line in page.lines],
    }


def _line_values(line: Line) -> dict[str, Any]:
    places = {"block": line.block, "paragraph": line.paragraph}
    return {**_values(line), **places, "words": [_values(word) for word in line.words]}


def _values(piece: Line | Word) -> dict[str, Any]:
    quad = [[round(float(x), 1), round(float(y), 1)] for x, y in piece.quad]
    return {"text": piece.text, "confidence": round(float(piece.confidence), 4), "quad": quad}


def draw_overlay(image: Image.Image, page: Page) -> Image.Image:
    """The picture with each word's outline and, above it, what was read."""
    out = image.convert("RGB")
    draw, size = ImageDraw.Draw(out), max(10, round(max(out.size) / 70))
    font = caption_font(size)
    for word in page.words:
        draw.polygon([tuple(map(float, point)) for point in word.quad], outline=(0, 170, 0), width=max(1, size // 8))
        left, top = word.quad.min(0).tolist()
        place = left, max(0.0, top - 1.2 * size)
        draw.rectangle(draw.textbbox(place, word.text, font=font), fill=(255, 255, 255))
        draw.text(place, word.text, (200, 0, 0), font=font)
    return out


def to_hocr(pages: Iterable[tuple[str, Page]]) -> str:
    """Pages, each with its picture's name, as one hOCR document."""
    parts = [_HEAD]
    for number, (name, page) in enumerate(pages, 1):
        title = f"image &quot;{escape(name)}&quot;; bbox 0 0 {page.width} {page.height}; ppageno {number - 1}"
        parts.append(f'<div class="ocr_page" id="page_{number}" title="{title}">\n')
        for block, lines in groupby(page.lines, key=lambda line: line.block):
            parts.append(_hocr_block(f"{number}_{block + 1}", list(lines)))
        parts.append("</div>\n")
    return "".join([*parts, "</body>\n</html>\n"])


def _hocr_block(name: str, lines: list[Line]) -> str:
    parts = [f'<div class="ocr_carea" id="block_{name}" title="{_box(lines)}">\n']
    for paragraph, own in groupby(lines, key=lambda line: line.paragraph):
        group = list(own)
        parts.append(f'<p class="ocr_par" id="par_{name}_{paragraph + 1}" title="{_box(group)}">\n')
        for line in group:
            words = " ".join(_hocr_word(word) for word in line.words)
            parts.append(f'<span class="ocr_line" title="{_box([line])}">{words}</span>\n')
        parts.append("</p>\n")
    return "".join([*parts, "</div>\n"])


def _hocr_word(word: Word) -> str:
    title = f"{_box([word])}; x_wconf {round(100 * word.confidence)}"
    return f'<span class="ocrx_word" title="{title}">{escape(word.text)}</span>'


def _box(pieces: list[Line] | list[Word]) -> str:
    points = np.concatenate([piece.quad for piece in pieces])
    low, high = np.maximum(np.floor(points.min(0)), 0).astype(int), np.ceil(points.max(0)).astype(int)
    return f"bbox {low[0]} {low[1]} {high[0]} {high[1]}"
