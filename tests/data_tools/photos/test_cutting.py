"""Regions are cut out upright, their perspective undone."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from data_tools.photos.cutting import cut, cut_outline, is_tall, lay_down, measure, turn_round


def box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return np.float32([[left, top], [right, top], [right, bottom], [left, bottom]])


def letters() -> np.ndarray:
    """A level picture 60x20 whose left half is dark and whose top row is bright."""
    picture = np.full((20, 60, 3), 200, np.uint8)
    picture[:, :30] = 20
    picture[:6] = 255
    return picture


@pytest.mark.parametrize("degrees", [0, 30, 90, 180, -75])
def test_a_turned_word_is_cut_out_as_it_was_written(degrees):
    """The quad's first corner is the text's top left, wherever that is in the picture."""
    flat = box(0, 0, 60, 20)
    matrix = cv2.getRotationMatrix2D((30, 10), degrees, 1.0) + np.array([[0, 0, 50], [0, 0, 60]])
    picture = cv2.warpAffine(letters(), matrix, (160, 140))
    quad = flat @ matrix[:, :2].T + matrix[:, 2]
    found = cut(picture, np.float32(quad))
    assert found.shape == (20, 60, 3)
    assert found[12, 10].mean() < 60 and found[12, 50].mean() > 150 and found[2, 30].mean() > 220


def test_perspective_is_undone():
    flat, seen = box(0, 0, 60, 20), np.float32([[10, 10], [80, 20], [78, 44], [12, 52]])
    picture = cv2.warpPerspective(letters(), cv2.getPerspectiveTransform(flat, seen), (100, 70))
    found = cut(picture, seen)
    middle = found[found.shape[0] * 2 // 3]
    assert middle[found.shape[1] // 5].mean() < 60 and middle[found.shape[1] * 4 // 5].mean() > 150


def test_text_that_runs_up_is_laid_down():
    """A tall region begins, as read, at its lower left."""
    quad = box(5, 10, 15, 60)
    assert is_tall(quad) and not is_tall(box(0, 0, 50, 10))
    assert lay_down(quad)[0].tolist() == [5, 60] and measure(lay_down(quad)) == (50, 10)
    assert turn_round(box(0, 0, 9, 4))[0].tolist() == [9, 4]


def test_a_region_of_no_size_is_one_pixel():
    assert cut(letters(), box(3, 3, 3, 3)).shape == (1, 1, 3)


def test_bent_text_is_made_level():
    """Curved words are learnt from as if they had been written on a line."""
    angles = np.linspace(-2.2, -0.9, 7)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    picture = np.full((120, 200, 3), 255, np.uint8)
    cv2.polylines(picture, [np.int32(circle * 85 + (100, 110))], False, (0, 0, 0), 4)
    band = np.float32(np.concatenate([circle * 95, circle[::-1] * 75]) + (100, 110))
    found = cut_outline(picture, band)
    dark = (found.mean(2) < 128).argmax(0)
    assert abs(found.shape[0] - 20) <= 1 and np.ptp(dark[4:-4]) <= 4, "the arc is a level stroke"
    assert cut_outline(picture, np.roll(band, 3, axis=0)).shape[0] > 30, "of no band, the rectangle around it is taken"
