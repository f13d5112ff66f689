"""Regions read off maps of drawn shapes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from crnn_jt.decoding.regions import Rule, find_contours, find_regions, grow_box, score_inside
from data_tools.photos.targets import ShrunkMaps
from data_tools.polygons import area, iou, min_area_box, perimeter
from data_tools.sample import Region


def turned(centre: tuple[float, float], size: tuple[float, float], degrees: float) -> np.ndarray:
    return cv2.boxPoints((centre, size, degrees)).astype(np.float32)


@pytest.mark.parametrize("degrees", [0, 7, -20, 45, 90])
@pytest.mark.parametrize("size", [(100, 24), (60, 12), (30, 30)])
def test_what_was_shrunk_is_found_as_it_was(size, degrees):
    """The way there (targets) and back (post-processing) belong together."""
    polygon = turned((90, 80), size, degrees)
    shrunk = ShrunkMaps()([Region(polygon, "word")], 160, 180)["shrunk"]
    (found,) = find_regions(shrunk.astype(np.float32))
    assert iou([found.quad], [polygon])[0, 0] > 0.7 and found.score == pytest.approx(1)


def test_quads_begin_at_the_top_left():
    probability = np.zeros((40, 80), np.float32)
    probability[15:20, 10:60] = 0.9
    (found,) = find_regions(probability)
    left, top = found.quad.min(0)
    assert np.allclose(found.quad[0], (left, top)) and np.allclose(found.quad[2], found.quad.max(0))
    assert found.score == pytest.approx(0.9, abs=1e-6)


def test_grown_by_area_over_perimeter():
    """10x50 pixels: 1.5 · 500 / 120 to each side."""
    probability = np.zeros((60, 100), np.float32)
    probability[20:30, 20:70] = 1
    (found,) = find_regions(probability)
    away = 1.5 * 500 / 120
    np.testing.assert_allclose(found.quad[0], (20 - away, 20 - away), atol=1e-4)
    np.testing.assert_allclose(found.quad[2], (70 + away, 30 + away), atol=1e-4)


def test_faint_and_tiny_regions_are_left_out():
    probability = np.zeros((60, 60), np.float32)
    probability[5:15, 5:40] = 0.5  # above the threshold, below the score
    probability[30:32, 30:32] = 1
    assert find_regions(probability, Rule(side=6)) == []
    assert len(find_regions(probability, Rule(score=0.4))) == 2


def test_bent_text_keeps_its_outline():
    """A half circle is not its box."""
    probability = np.zeros((120, 120), np.float32)
    cv2.ellipse(probability, (60, 90), (45, 45), 0, 180, 360, 1.0, 8)
    (found,) = find_regions(probability)
    assert len(found.polygon) > 8 and iou([found.polygon], [found.quad])[0, 0] < 0.8


def test_regions_at_the_edge_and_an_empty_map_do_no_harm():
    assert find_regions(np.zeros((8, 8), np.float32)) == []
    probability = np.zeros((20, 40), np.float32)
    probability[:, :3] = probability[:4] = 1
    assert all(np.isfinite(found.quad).all() for found in find_regions(probability))


@pytest.mark.parametrize("degrees", [0, 7, -20, 45, 80, 90])
def test_the_smallest_rectangle_is_the_one_that_is_grown(degrees):
    """As training data draws it, whichever way the region leans; also around a single pixel."""
    probability = np.zeros((160, 180), np.float32)
    cv2.fillPoly(probability, [np.int32(turned((90, 80), (90, 17), degrees).round())], 1.0)
    probability[2, 170] = 1
    found = find_regions(probability, Rule(side=0))
    for contour, region in zip(find_contours(probability, 0.3), found, strict=True):
        inner = grow_box(min_area_box(contour + 0.5), 0.5)
        expected = grow_box(inner, 1.5 * area(inner) / perimeter(inner))
        np.testing.assert_allclose(region.quad, expected, atol=0.01)


def test_what_is_scored_is_inside_the_contour():
    probability = np.float32([[0.9, 0.9, 0.1, 0.1], [0.9, 0.9, 0.1, 0.9]])
    scores = {
        contour[:, 0].min().item(): score_inside(probability, contour) for contour in find_contours(probability, 0.5)
    }
    assert scores == {0: pytest.approx(0.9), 3: pytest.approx(0.9)}


def test_a_line_of_no_height_grows_to_a_box():
    grown = grow_box(np.float32([[0, 0], [10, 0], [10, 0], [0, 0]]), 2)
    assert grown.tolist() == [[-2, -2], [12, -2], [12, 2], [-2, 2]]
