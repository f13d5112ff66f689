"""Geometry of regions, against shapes whose answer is known and against counting pixels."""

import math

import numpy as np
import pytest
from PIL import Image, ImageDraw

from data_tools.polygons import area, clip, intersections, iou, min_area_box, offset, orient, perimeter

SQUARE = np.array([[10, 10], [30, 10], [30, 30], [10, 30]], np.float32)
CONCAVE = np.array([[0, 0], [60, 0], [60, 60], [40, 60], [40, 20], [20, 20], [20, 60], [0, 60]], np.float32)
BOW_TIE = np.array([[0, 0], [20, 20], [20, 0], [0, 20]], np.float32)


def turn(points, degrees: float) -> np.ndarray:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.float32(points) @ np.array([[cos, sin], [-sin, cos]], np.float32)


def fill(polygon, size: int = 400) -> np.ndarray:
    image = Image.new("1", (size, size))
    ImageDraw.Draw(image).polygon([tuple(point) for point in (polygon * 4 + 0.5).tolist()], fill=1)
    return np.asarray(image)


def test_area_and_perimeter_do_not_depend_on_direction_or_place():
    for polygon in (SQUARE, SQUARE[::-1], SQUARE + 10_000):
        assert area(polygon) == pytest.approx(400) and perimeter(polygon) == pytest.approx(80)
    assert area(CONCAVE) == pytest.approx(60 * 60 - 20 * 40)


def test_orientation_is_clockwise_as_seen_from_the_same_point():
    """Corners in the wrong order would give a mirrored crop."""
    assert orient(SQUARE).tolist() == SQUARE.tolist()
    turned = orient(SQUARE[::-1])
    assert turned[0].tolist() == SQUARE[-1].tolist() and turned[1].tolist() == SQUARE[0].tolist()


def test_clipping_keeps_what_lies_in_the_picture():
    assert clip(SQUARE, 100, 100)[0].shape == (4, 2) and clip(SQUARE + 200, 100, 100) == []
    (half,) = clip(SQUARE, 20, 100)
    assert area(half) == pytest.approx(200) and half.max(0).tolist() == [20, 30]
    legs = clip(CONCAVE - np.float32([0, 30]), 100, 100)
    assert [area(leg) for leg in legs] == [pytest.approx(600)] * 2
    assert clip(SQUARE, 10, 100) == []  # only an edge is shared


def test_offsets_shrink_grow_split_and_vanish():
    assert area(offset(SQUARE, -4)[0]) == pytest.approx(144)
    assert area(offset(SQUARE, 5, round_corners=False)[0]) == pytest.approx(900)
    assert area(offset(SQUARE, 5)[0]) == pytest.approx(400 + 80 * 5 + math.pi * 25, rel=0.01)
    assert offset(SQUARE, -10) == []
    dumbbell = np.array([[0, 0], [20, 0], [20, 9], [40, 9], [40, 0], [60, 0], [60, 20], [40, 20], [40, 11], [20, 11]])
    dumbbell = np.concatenate([dumbbell, [[20, 20], [0, 20]]]).astype(np.float32)
    assert len(offset(dumbbell, -2)) == 2
    for outline in (*offset(dumbbell, -2), *offset(CONCAVE, 3)):
        assert outline.dtype == np.float32 and orient(outline) is outline


@pytest.mark.parametrize("degrees", [0, 3, -20, 44, 60, 89, 130, 175, -100])
def test_the_smallest_box_is_found_at_any_angle_and_starts_at_the_top_left(degrees):
    """A box that begins elsewhere is read upside down."""
    rng = np.random.default_rng(1)
    corners = np.float32([[0, 0], [50, 0], [50, 12], [0, 12]])
    points = np.concatenate([corners, rng.uniform((0, 0), (50, 12), (40, 2))])
    box = min_area_box(turn(points, degrees))
    assert box.dtype == np.float32 and area(box) == pytest.approx(600, rel=1e-4)
    distance = np.abs(turn(corners, degrees)[:, None] - box[None]).sum(2)
    assert sorted(distance.argmin(1).tolist()) == [0, 1, 2, 3] and distance.min(1).max() < 1e-3
    side = box[1] - box[0]
    assert side[0] >= abs(side[1]) - 1e-3 and orient(box) is box


def test_upright_boxes_squares_lines_and_points():
    tall = np.float32([[0, 0], [10, 0], [10, 40], [0, 40]])
    assert min_area_box(tall).tolist() == tall.tolist()
    assert min_area_box(SQUARE).tolist() == SQUARE.tolist()
    assert area(min_area_box(np.float32([[0, 0], [30, 10], [15, 5]]))) == pytest.approx(0, abs=1e-3)
    assert min_area_box(np.float32([[3, 4]])).tolist() == [[3, 4]] * 4


def test_overlaps_agree_with_counting_pixels():
    rng = np.random.default_rng(2)
    quads = [
        turn(rng.uniform(20, 60) / 40 * (SQUARE - 20), rng.uniform(0, 360)) + rng.uniform(40, 60, 2) for _ in range(6)
    ]
    masks = [fill(quad) for quad in quads]
    counted = np.array([[(a & b).sum() / (a | b).sum() for b in masks] for a in masks])
    assert np.abs(iou(quads, quads) - counted).max() < 0.03
    assert np.diagonal(iou(quads, quads)) == pytest.approx(1)


def test_outlines_that_cross_themselves_or_have_no_area_do_no_harm():
    """People's annotations hold both; an evaluation must not end at one of them."""
    line = np.float32([[0, 0], [10, 10], [5, 5], [10, 10]])
    found = iou([SQUARE, BOW_TIE, line], [SQUARE, BOW_TIE, line])
    assert found[0, 0] == 1 and found[1, 1] == 1 and not found[2].any()
    assert intersections([BOW_TIE], [SQUARE - 10])[0, 0] == pytest.approx(200)
    assert [area(part) for part in clip(BOW_TIE, 100, 100)] == [pytest.approx(100)] * 2
    assert iou([], [SQUARE]).shape == (0, 1) and iou([SQUARE], []).shape == (1, 0)
