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
from ocr.turning import ANGLES, View, find_view, turn, turn_back
from tests.ocr.pictures import Ink, box, draw_words

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


@dataclass
class Half:
    """A picture of which only one way up is read: `count` regions, each as `text`, at `angle`; elsewhere as "ix"."""

    angle: int
    count: int
    text: str
    looks: tuple = ()
    near: int = 0

    def look(self, angle: int) -> View:
        self.looks, self.near = (*self.looks, angle), angle
        quad = box(5, 5, 95, 25)
        return View(angle, Image.new("RGB", (100, 100)), [Found(quad, quad, 0.9)] * self.count, 1.0)

    def read(self, images) -> list[Prediction]:
        half = len(list(images)) // 2
        angles = [self.near] * half + [self.near + 180] * half
        return [Prediction(self.text if angle == self.angle else "ix", 0.9, "") for angle in angles]


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
    assert find_view(half.look, half.look, half.read).angle == angle and half.looks == looks


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
