"""Regions cut out of a map by the kernels: what bilinear reading defines, and the same bits whatever is cut beside."""

from __future__ import annotations

import ctypes
import os

import numpy as np
import pytest

if os.environ.get("CRNN_BACKEND", "jittor") != "jittor":
    pytest.skip("Jittor's kernels", allow_module_level=True)

from crnn_jt.backend.fast.regions import cut_regions


def read_bilinearly(maps: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The definition in float64: (H, W, C) at places (R, h, w, 2) -> (R, C, h, w)."""
    framed = np.pad(maps.transpose(2, 0, 1).astype(np.float64), ((0, 0), (2, 2), (2, 2)))
    height, width = framed.shape[1:]
    across, down = (np.clip(places[..., axis] + 2.0, 0, size - 1.001) for axis, size in ((0, width), (1, height)))
    left, top = across.astype(int), down.astype(int)
    right, below = across - left, down - top
    rows = framed[:, top, left] * (1 - right) + framed[:, top, left + 1] * right
    others = framed[:, top + 1, left] * (1 - right) + framed[:, top + 1, left + 1] * right
    return (rows * (1 - below) + others * below).transpose(1, 0, 2, 3)


def draw(regions: int, columns: int = 17) -> tuple[np.ndarray, np.ndarray]:
    """A map (9, 13, 5) and places: within it, at its edge, between its edge and a pixel beyond, and far off."""
    rng = np.random.default_rng(0)
    places = rng.uniform(-3, 15, (regions, 8, columns, 2)).astype(np.float32)
    places[0, 0, :6] = [(0, 0), (12, 8), (-0.5, 3), (12.5, 8.5), (-9, -9), (1e6, 4)]
    return rng.standard_normal((9, 13, 5)).astype(np.float32), places


def test_places_between_pixels_are_read_bilinearly():
    maps, places = draw(3)
    expected = read_bilinearly(maps[..., :3], places)
    found = cut_regions(maps, 3, places)
    assert found.shape == (3, 3, 8, 17) and np.abs(found - expected).max() <= 2e-5 * np.abs(expected).max()
    np.testing.assert_array_equal(found[0, :, 0, :2].T, [maps[0, 0, :3], maps[8, 12, :3]])
    assert not found[0, :, 0, 4:6].any()  # beyond the map


def test_a_region_is_the_same_bits_beside_any_others_on_any_number_of_threads():
    maps, places = draw(5)
    together, openmp = cut_regions(maps, 5, places), ctypes.CDLL("libgomp.so.1")
    before = openmp.omp_get_max_threads()
    try:
        for threads in (1, 3):
            openmp.omp_set_num_threads(threads)
            np.testing.assert_array_equal(cut_regions(maps, 5, places), together)
            np.testing.assert_array_equal(cut_regions(maps, 5, places[3:4])[0], together[3])
    finally:
        openmp.omp_set_num_threads(before)
