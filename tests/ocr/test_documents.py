"""PDFs and scans of several pages, whole, broken and locked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from PIL import Image

from data_tools.errors import UserError
from ocr.documents import MAX_PIXELS, list_pictures, rasterise, see
from ocr.page import Page
from ocr.searchable import write_pdf

LOCKED = b"""%PDF-1.4
1 0 obj <</Type /Catalog /Pages 2 0 R>> endobj
2 0 obj <</Type /Pages /Kids [] /Count 0>> endobj
3 0 obj <</Filter /Standard /V 1 /R 2 /P -4 /O <OO> /U <UU>>> endobj
trailer <</Root 1 0 R /Encrypt 3 0 R /ID [<00> <00>] /Size 4>>
""".replace(b"OO", b"41" * 32).replace(b"UU", b"42" * 32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A PDF of a light and a dark page, a TIFF of two, a picture, and PDFs that do not open."""
    root = tmp_path_factory.mktemp("documents")
    light, dark = Image.new("RGB", (64, 200), "white"), Image.new("RGB", (300, 500), "black")
    with open(root / "b.pdf", "wb") as file:
        write_pdf(file, [(image, Page(*image.size, ())) for image in (light, dark)])
    light.save(root / "a.tif", save_all=True, append_images=[dark])
    light.save(root / "c.png")
    (root / "d.pdf").write_bytes((root / "b.pdf").read_bytes()[:300])
    (root / "e.pdf").write_bytes(LOCKED)
    (root / "f.pdf").write_bytes(b"")
    return root


def test_pages_are_listed_one_by_one(folder):
    """Of a folder, PDFs too; what does not open is listed once, so that it is named."""
    names = [path.name for path in list_pictures([str(folder)])]
    assert names == ["a.tif", "a.tif#2", "b.pdf", "b.pdf#2", "c.png", "d.pdf", "e.pdf", "f.pdf"]
    assert [path.name for path in list_pictures([str(folder / "b.pdf#2")])] == ["b.pdf#2"]


def test_pages_are_rasterised_as_they_were_scanned(folder):
    """At the dots an inch at which pages are written, pixels come back."""
    for name, size, level in (("b.pdf", (64, 200), 255), ("b.pdf#2", (300, 500), 0)):
        image = see(folder / name)
        assert image.mode == "RGB" and image.size == size and abs(np.asarray(image).mean() - level) < 2
    assert see(str(folder / "a.tif#2")).size == (300, 500)


def test_a_poster_is_rasterised_at_what_memory_allows(tmp_path):
    document = pypdfium2.PdfDocument.new()
    document.new_page(14_000, 7_000)
    document.save(tmp_path / "poster.pdf")
    image = rasterise(tmp_path / "poster.pdf")
    assert image.width * image.height == pytest.approx(MAX_PIXELS, rel=0.01)


WRONG = {"d.pdf": "no whole PDF", "e.pdf": "encrypted", "f.pdf": "no whole PDF", "b.pdf#3": "page 3"}


@pytest.mark.parametrize("name, mentioned", WRONG.items())
def test_documents_that_do_not_open_say_why(folder, name, mentioned):
    with pytest.raises(UserError, match=mentioned) as caught:
        see(folder / name)
    assert name in str(caught.value) and "\n" not in str(caught.value)
