"""What ships reads what ships: the bundled photograph with the default models, as `make demo` does."""

from __future__ import annotations

from pathlib import Path

import ocr
from data_tools.text import alphanumeric

STREET = Path(ocr.__file__).parent / "examples/street.jpg"
WORDS = "room todd quilts way kay yest e379 lunch 2tb wondering more 1985 71 lightly pat delete sided embryonic ford"


def test_the_bundled_photograph_is_read():
    """At least 16 of its 22 words of more than a smudge, letters and digits compared, no more than two others, in lines
    of several words, as they are written.
    """
    page = ocr.load().read(STREET)
    found, known = {alphanumeric(word.text) for word in page.words} - {""}, {*WORDS.split(), "basket", "scan", "humans"}
    assert len(found & known) >= 16 and len(found - known) <= 2, found
    assert page.angle == 0 and any(line.text == "Basket Scan" for line in page.lines)


def test_the_plain_models_read_letters_and_digits_alone():
    """`--models plain`."""
    page = ocr.load("plain").read(STREET)
    assert page.text.replace("\n", " ").replace(" ", "").isalnum() and page.text == page.text.lower()
    assert any(line.text == "basket scan" for line in page.lines)
