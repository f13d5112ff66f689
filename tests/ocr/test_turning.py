"""Which way up a page lies, found with the recogniser that ships, and where its words are in the picture itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from crnn_jt import reading
from crnn_jt.decoding.regions import Found
from crnn_jt.reading import Prediction
from data_tools.photos.cutting import cut
from ocr.reading import PhotoReader, ReadingOptions
from ocr.turning import ANGLES, Eyes, View, find_view, turn, turn_back
from tests.ocr.pictures import Ink, KnownRegions, KnownTurns, box, draw_words

WORDS = {(20, 10): "HOTEL", (20, 60): "market", (20, 110): "london", (20, 160): "station"}


@pytest.fixture(scope="module")
def recognizer():
    return reading.load("crnn-light")


@pytest.mark.parametrize("angle", ANGLES)
def test_a_turned_page_is_read_and_its_words_are_where_they_are(recognizer, angle):
    """A scan fed sideways gives the same text; quads are in the picture as it came."""
    image, quads = draw_words(WORDS)
    turned = turn(image, -angle % 360)
    page = PhotoReader(Ink(), recognizer).read(turned)
    assert page.angle == angle and (page.width, page.height) == turned.size
    assert page.text.split() == ["hotel", "market", "london", "station"]
    dark = np.asarray(turned.convert("L")) < 128
    for word, quad in zip(page.words, quads):
        (left, top), (right, bottom) = np.round(word.quad.min(0)).astype(int), np.round(word.quad.max(0)).astype(int)
        assert dark[top:bottom, left:right].sum() > 50
        np.testing.assert_allclose(turn_back(word.quad, -angle % 360, *image.size), quad, atol=5)  # from its top left


def test_a_fixed_angle_is_not_judged(recognizer):
    image, _ = draw_words(WORDS)
    page = PhotoReader(Ink(), recognizer, options=ReadingOptions(angle=180)).read(turn(image, 180))
    assert page.angle == 180 and page.text.startswith("hotel")


CORNERS = {(1, 1): 0, (1, 0): 90, (0, 0): 180, (0, 1): 270}
"""By how much a picture was turned, by the corner (bottom, right) that its lower right has come to."""


@dataclass
class Half:
    """A picture of which only one way up is read: `count` regions, each as `text`, at `angle`; elsewhere as "ix"."""

    angle: int
    count: int
    text: str
    looks: tuple = ()

    def look(self, angle: int) -> View:
        self.looks = (*self.looks, angle)
        levels = np.add.outer(np.arange(100), np.arange(100)).astype(np.uint8)
        level = (angle - self.angle) % 180 == 0
        quad = box(5, 5, 95, 25) if level else box(5, 5, 25, 95)
        return View(angle, Image.fromarray(levels), [Found(quad, quad, 0.9)] * self.count, 1.0)

    def read(self, images, language) -> list[Prediction]:
        return [Prediction(self.text if _angle_of(image) == self.angle else "ix", 0.9, "") for image in images]


def _angle_of(image: np.ndarray) -> int:
    height, width = image.shape[:2]
    brightest = np.unravel_index(image.reshape(height, width, -1)[..., 0].argmax(), (height, width))
    return CORNERS[int(brightest[0] > height / 2), int(brightest[1] > width / 2)]


@pytest.mark.parametrize(
    "half, angle, looks",
    [
        (Half(0, 4, "station"), 0, (0,)),  # much is read: nobody looks again
        (Half(180, 4, "station"), 180, (0, 180)),
        (Half(90, 4, "station"), 90, (0, 90, 90)),  # a glance, then a look
        (Half(270, 4, "station"), 270, (0, 90, 270)),
        (Half(180, 1, "oil"), 0, (0, 90)),  # three characters are no reason to turn a page
        (Half(0, 0, ""), 0, (0, 90)),
    ],
)
def test_a_page_is_turned_where_that_gives_clearly_more_text(half, angle, looks):
    assert find_view(half.look, half.look, Eyes.of(half)).angle == angle and half.looks == looks


@dataclass
class Counting:
    """A recogniser in two halves, which remembers how often it looked."""

    seen: int = 0

    def see(self, images) -> list[int]:
        numbers = [self.seen + n for n, _ in enumerate(images)]
        self.seen += len(numbers)
        return numbers

    def tell(self, sights, lexicon=None, language=None, spans=False) -> list[Prediction]:
        return [Prediction("station", 0.9, "station") for _ in sights]

    def read(self, images, **options) -> list[Prediction]:
        return self.tell(self.see(images))


def test_a_page_that_is_clearly_upright_is_looked_at_once():
    """Each region by the recogniser too: what said which way up the page lies is what is read."""
    detector, recognizer = KnownRegions([box(10, 30 * n, 120, 30 * n + 20) for n in range(5)]), Counting()
    page = PhotoReader(detector, recognizer).read(Image.new("RGB", (200, 160)))
    assert len(detector.looks) == 1 and recognizer.seen == 5 and page.text.split() == ["station"] * 5


def test_direction_and_recogniser_look_at_the_same_piece(monkeypatch):
    """Only what stands on its head is cut out again."""
    cuts = []
    monkeypatch.setattr("ocr.turning.cut", lambda picture, quad: cuts.append(quad) or cut(picture, quad))
    quads = [box(10, 10, 90, 30), box(10, 50, 90, 70)]
    options = ReadingOptions(angle=0)
    reader = PhotoReader(KnownRegions(quads), Counting(), KnownTurns([0.99, 0.0]), options)
    assert reader.read(Image.new("L", (100, 100))).text.split() == ["station"] * 2
    assert [each.astype(int).tolist() for each in (cuts[0][0], cuts[1][0], cuts[2][0])] == [[4, 4], [4, 4], [84, 24]]
    assert len(cuts) == 3


@pytest.mark.parametrize("angle", ANGLES)
def test_what_is_cut_is_what_the_turned_picture_holds(angle):
    """Also over the edge and outside, though the picture is never turned as a whole."""
    levels = np.random.default_rng(4).integers(0, 256, (9, 14, 3), np.uint8)
    image = Image.fromarray(levels).resize((140, 90), Image.Resampling.BICUBIC)
    view, turned = View(angle, image, [], 1.0), np.asarray(turn(image, angle))
    slanted = np.float32([[20, 30], [60, 20], [64, 34], [24, 44]])
    for quad in (box(12, 9, 50, 28), box(-6, -4, 30, 12), box(70, 60, 150, 95), slanted, box(200, 10, 240, 30)):
        np.testing.assert_allclose(view.cut(quad).astype(int), cut(turned, quad).astype(int), atol=12)


def test_points_outside_go_to_the_edge():
    """What a detector grows over the edge is no place in the picture."""
    assert turn_back(np.float32([[-5, -5], [30, 70]]), 0, 40, 60).tolist() == [[0, 0], [30, 60]]
    assert turn_back(np.float32([[0, 0], [10, 5]]), 90, 40, 60).tolist() == [[0, 60], [5, 50]]
    assert turn_back(np.float32([[0, 0], [10, 5]]), 270, 40, 60).tolist() == [[40, 0], [35, 10]]
