"""The page must open without a network, show picture and music side by side, say what is doubtful, and play."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from data_tools.scores import RenderedScores
from omr.page import write_page
from omr.reading import understand
from tests.eval.words.browser import Browser

TEXT = (
    "clef-G2 keySignature-GM timeSignature-2/4 note-F#4_quarter gracenote-A4_eighth note-G4_quarter barline "
    "note-B4_quarter barline multirest-2 barline note-C5_quarter tie note-C5_quarter barline"
)


@pytest.fixture
def page(tmp_path):
    """A staff with a measure that does not add up, and one that nothing was read from."""
    image, symbols = RenderedScores(4, 1)[0].image, TEXT.split()
    read = understand(symbols, 0.5, [0.4, *[1.0] * (len(symbols) - 1)], image)
    nothing = understand([], 0.0, [], image)
    write_page(tmp_path / "page.html", [("a<b>.png, staff 1", read), ("a<b>.png, staff 2", nothing)])
    return tmp_path / "page.html"


def test_page_is_one_file_and_marks_what_is_doubtful(page):
    text = page.read_text(encoding="utf-8")
    loaded = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert loaded and all(address.startswith(("data:", "#")) for address in loaded)
    assert "a&lt;b&gt;.png, staff 1" in text and "no notes or rests to draw" in text
    assert text.count('class="measure doubtful"') == 1 and "measure 2: " in text
    assert '<mark title="0.40">clef-G2</mark>' in text


def test_page_in_a_browser(page):
    """Both halves are seen, Play sounds and marks the note, and Stop ends it."""
    with Browser() as browser:
        browser.open(page.as_uri())
        boxes = browser.run(
            "return ['img', 'svg'].map(name => document.querySelector(name).getBoundingClientRect().toJSON())"
        )
        assert all(box["width"] > 200 and box["height"] > 20 for box in boxes)
        assert boxes[1]["left"] >= boxes[0]["right"], "side by side"
        assert browser.run("return [...document.querySelectorAll('img')].every(image => image.naturalWidth > 0)")
        assert browser.run("return document.querySelectorAll('section:first-of-type g.note').length") == 6
        browser.click("button")
        assert browser.text("button") == "Stop"
        seen = "return new Promise(done => setTimeout(() => done(document.querySelectorAll('.sounding').length), 200))"
        assert browser.run(seen) == 1 and browser.run("return audio.state") == "running"
        browser.click("button")
        assert browser.text("button") == "Play" and browser.run("return document.querySelector('.sounding')") is None
        shown = np.asarray(Image.open(io.BytesIO(browser.screenshot())).convert("RGB"), int)
    assert (shown[..., 0] - shown[..., 2] > 100).any(), "doubts are red"
