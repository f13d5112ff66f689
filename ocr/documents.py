"""What people want read: photographs and scans, the pages of TIFF and PDF files. Pages after the first are `path#2` ….

PDF pages are rasterised by PDFium (pypdfium2).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pypdfium2
from PIL import Image
from pypdfium2 import raw

from crnn_jt.pictures import Picture, expand, open_picture
from data_tools.errors import UserError
from data_tools.images import list_pages, split_page, to_channels, turn_upright

DPI = 200
"""Pages of a PDF are rasterised at this many dots an inch: print of 6 points then has capitals of 12 pixels."""
MAX_PIXELS = 16_000_000
"""A larger page, such as a poster's, is rasterised at as many."""
MAX_PAGES = 10_000
PDF = ".pdf"


def list_pictures(paths: Sequence[str]) -> list[Path]:
    """Files of paths, folders (their pictures and PDFs, sorted) and globs, page by page. Raises UserError for what is
    not there; a file that does not open is listed, and whoever reads it learns what is wrong with it.
    """
    return expand(paths, _list_pages, (PDF,))


def _list_pages(path: Path) -> list[Path]:
    """A file as the names of its pages: itself, `path#2` …; only itself where it does not open."""
    if not is_pdf(path):
        return list_pages(path)
    try:
        with _open_pdf(path, str(path)) as document:
            count = min(len(document), MAX_PAGES)
    except UserError:
        count = 1
    return [path, *(path.with_name(f"{path.name}#{number}") for number in range(2, count + 1))]


def see(picture: Picture) -> Image.Image:
    """The picture in colour as people see it: EXIF's turn applied. Raises UserError where it does not open."""
    if isinstance(picture, str | os.PathLike):
        path, number = split_page(picture)
        if is_pdf(path):
            return rasterise(path, number)
    return to_channels(turn_upright(open_picture(picture)), 3)


def is_pdf(path: Path) -> bool:
    """Whether a file is a PDF, by its first bytes, or by its name where there is rubbish before them."""
    if not path.is_file():  # a pipe would keep whoever opens it waiting
        return False
    try:
        with open(path, "rb") as file:
            return file.read(5) == b"%PDF-" or path.suffix.lower() == PDF
    except OSError:
        return False


def rasterise(path: Path, number: int = 1) -> Image.Image:
    """A page of a PDF, from 1, in colour; `info["dpi"]` says at how many dots an inch. Raises UserError."""
    name = f"{path}#{number}" if number > 1 else str(path)
    with _open_pdf(path, name) as document:
        if number > len(document):
            raise UserError(f"{name}: there is no page {number}")
        page = document[number - 1]
        width, height = (max(side, 1e-3) for side in page.get_size())  # points
        scale = min(DPI / 72, (MAX_PIXELS / (width * height)) ** 0.5)
        # PDFium rounds up, and sides are float32: 64.000001 pixels are 64
        image = page.render(scale=scale * (1 - 1e-6), rev_byteorder=True).to_pil().convert("RGB")
        image.info["dpi"] = (72 * scale, 72 * scale)
        return image


@contextmanager
def _open_pdf(path: Path, name: str) -> Iterator[pypdfium2.PdfDocument]:
    """The document; whatever PDFium cannot do with it is a UserError."""
    document = None
    try:
        document = pypdfium2.PdfDocument(path)
        yield document
    except pypdfium2.PdfiumError as error:
        encrypted = getattr(error, "err_code", None) == raw.FPDF_ERR_PASSWORD
        why = "is encrypted; save it without its password" if encrypted else f"is no whole PDF ({error})"
        raise UserError(f"{name}: {why}") from error
    except (OSError, MemoryError) as error:
        raise UserError(f"{name}: cannot be opened ({error})") from error
    finally:
        if document is not None:
            document.close()
