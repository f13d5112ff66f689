"""What ships reads what ships: the bundled photograph with the default models, as `make demo` does."""

from __future__ import annotations

from pathlib import Path

import pytest

import ocr
from crnn_jt.weights import bundled_names
from data_tools.text import alphanumeric
from ocr.reading import MODELS

STREET = Path(ocr.__file__).parent / "examples/street.jpg"
WORDS = "room todd quilts way kay yest e379 lunch 2tb wondering more 1985 71 lightly pat delete sided embryonic ford"


def available(models: str) -> bool:
    return all(name == "none" or name in bundled_names() for name in MODELS[models])


@pytest.mark.parametrize(
    "models",
    ["default", pytest.param("slim", marks=pytest.mark.skipif(not available("slim"), reason="no slim models ship"))],
)
def test_the_bundled_photograph_is_read(models):
    """At least 16 of its 22 words of more than a smudge, letters and digits compared, no more than two others, in lines
    of several words, as they are written.
    """
    page = ocr.load(models).read(STREET)
    found, known = {alphanumeric(word.text) for word in page.words} - {""}, {*WORDS.split(), "basket", "scan", "humans"}
    assert len(found & known) >= 16 and len(found - known) <= 2, found
    assert page.angle == 0 and any(line.text == "Basket Scan" for line in page.lines)


def test_the_plain_models_read_letters_and_digits_alone():
    """`--models plain`."""
    page = ocr.load("plain").read(STREET)
    assert page.text.replace("\n", " ").replace(" ", "").isalnum() and page.text == page.text.lower()
    assert any(line.text == "basket scan" for line in page.lines)
