"""What ships reads what ships: the bundled photograph with the default models, as `make demo` does."""

from __future__ import annotations

from pathlib import Path

import ocr

STREET = Path(ocr.__file__).parent / "examples/street.jpg"
WORDS = "room todd quilts way kay yest e379 lunch 2tb wondering more 1985 71 lightly pat delete sided embryonic ford"


def test_the_bundled_photograph_is_read():
    """At least 18 of its 22 words of more than a smudge, no more than two others, in lines of several words."""
    page = ocr.load().read(STREET)
    found, known = {word.text for word in page.words}, {*WORDS.split(), "basket", "scan", "humans"}
    assert len(found & known) >= 18 and len(found - known) <= 2, found
    assert page.angle == 0 and any(line.text == "basket scan" for line in page.lines)
