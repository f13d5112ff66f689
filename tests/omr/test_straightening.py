"""A staff must reach the model straight, upright and of one size from end to end, however the paper lay."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from data_tools.scores import RenderedScores
from data_tools.scores.framing import Staff, placed
from omr.courses import clarity
from omr.orientation import find_upright
from omr.straightening import draw_straight, measure_slant

SPACE = 7.0
SCORES = RenderedScores(21, 3)


def sheet(index: int = 0) -> np.ndarray:
    return np.asarray(ImageOps.expand(SCORES[index].image.convert("L"), 60, 255))


def warped(picture: np.ndarray, row) -> np.ndarray:
    """The picture whose point (x, y) was at (x, row(x, y)); both as shares of its sides."""
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    height, width = picture.shape
    source = row(x / width, y / height).astype(np.float32) * height
    return cv2.remap(picture, x, source, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=255)


BENDS = {
    "wave": lambda x, y: y + 0.05 * np.sin(5 * x),
    "keystone": lambda x, y: 0.5 + (y - 0.5) * (0.86 + 0.28 * x),
    "arch": lambda x, y: y + 0.25 * (x - 0.5) ** 2,
}


def line_rows(framed: np.ndarray) -> np.ndarray:
    """(10,): how far the darkest row near each line is off, in staff spaces, in the first quarter and the last. A sign
    may cover one.
    """
    quarter, off = framed.shape[1] // 4, []
    for part in (framed[:, :quarter], framed[:, -quarter:]):
        dark = (255.0 - part).sum(axis=1)
        for line in range(5):
            middle = (9.2 - line) * SPACE - 0.5
            rows = np.arange(round(middle - 3), round(middle + 4))
            off.append((rows[dark[rows].argmax()] - middle) / SPACE)
    return np.array(off)


@pytest.mark.parametrize("kind", BENDS)
def test_bent_and_converging_lines_come_out_straight(kind):
    picture = Image.fromarray(warped(sheet(), BENDS[kind]))
    upright, staves = find_upright(picture)
    assert len(staves) == 1
    before = np.asarray(placed(upright, staves[0], SPACE))
    after = draw_straight(np.asarray(upright), staves[0], SPACE)
    assert np.sort(np.abs(line_rows(after)))[-2] < 0.1 and clarity(after, SPACE) > 1.1 * clarity(before, SPACE)


def test_a_straight_staff_is_framed_as_the_renderer_frames_it():
    """What models have learnt to read."""
    upright, (staff,) = find_upright(Image.fromarray(sheet(1)))
    ours, theirs = draw_straight(np.asarray(upright), staff, SPACE), np.asarray(placed(upright, staff, SPACE))
    width = min(ours.shape[1], theirs.shape[1])
    assert abs(ours.shape[1] - theirs.shape[1]) <= 1 and len(ours) == len(theirs)
    assert np.corrcoef(ours[:, :width].ravel(), theirs[:, :width].ravel())[0, 1] > 0.97


@pytest.mark.parametrize("slant", [-0.15, 0.0, 0.2])
def test_leaning_strokes_come_upright(slant):
    picture = sheet(2)
    height, width = picture.shape
    matrix = np.float32([[1, -slant, slant * height / 2], [0, 1, 0]])
    leaning = cv2.warpAffine(picture, matrix, (width, height), borderValue=255)
    _, (staff,) = find_upright(Image.fromarray(leaning))
    straight = draw_straight(leaning, staff, SPACE)
    assert abs(measure_slant(255 - straight, SPACE)) < 0.04
    framed = np.asarray(placed(Image.fromarray(leaning), staff, SPACE))
    assert abs(measure_slant(255 - framed, SPACE) - slant) < 0.04


def test_what_shows_no_lines_is_drawn_as_it_was_found():
    noise = np.random.default_rng(0).integers(0, 256, (120, 400)).astype(np.uint8)
    for picture in (noise, np.full((120, 400), 255, np.uint8), np.zeros((20, 30), np.uint8)):
        staff = Staff(80.0, 0.01, 9.0, 5.0, picture.shape[1] - 5.0)
        assert draw_straight(picture, staff, SPACE).shape[0] == round(13.7 * SPACE)
