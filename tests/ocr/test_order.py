"""Words to lines, lines to pages, on drawn layouts."""

from __future__ import annotations

import numpy as np

from ocr.order import around, find_blocks, group_words, join_words, outline, sort_lines
from tests.ocr.pictures import box


def turned(quads: list[np.ndarray], degrees: float) -> list[np.ndarray]:
    angle = np.deg2rad(degrees)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    return [np.float32(quad @ matrix.T) for quad in quads]


def page(columns: list[float], rows: int, words: int = 3, width: float = 40) -> list[np.ndarray]:
    """Words of 10 pixels in height, 8 apart, lines 16 apart, in columns that begin at these places."""
    return [
        box(left + n * (width + 8), 16 * row, left + n * (width + 8) + width, 16 * row + 10)
        for left in columns
        for row in range(rows)
        for n in range(words)
    ]


def test_words_of_a_line_are_joined_from_left_to_right():
    quads = page([0], 3)
    shuffled = np.random.default_rng(0).permutation(len(quads)).tolist()
    lines = group_words([quads[place] for place in shuffled])
    assert sorted([shuffled[place] for place in line] for line in lines) == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_slanted_upright_and_overturned_lines_are_lines_too():
    """Along the text's own direction, whatever that is."""
    for degrees in (10, -25, 90, 180):
        assert sorted(group_words(turned(page([0], 3), degrees))) == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_columns_are_not_joined():
    lines = group_words(page([0, 200], 4))
    assert sorted(map(len, lines)) == [3] * 8


def test_letters_of_other_sizes_are_another_line():
    assert len(group_words([box(0, 0, 50, 40), box(55, 25, 90, 35)])) == 2


def test_two_columns_below_a_heading_are_read_one_after_the_other():
    heading = box(0, -40, 350, -20)
    left = [box(0, 16 * row, 140, 16 * row + 10) for row in range(5)]
    right = [box(200, 16 * row + 3, 340, 16 * row + 13) for row in range(5)]
    quads = [*right, heading, *left]
    assert sort_lines(quads) == [5, 6, 7, 8, 9, 10, 0, 1, 2, 3, 4]


def test_a_line_across_both_columns_parts_them():
    """What stands above it is read before what stands below it."""
    upper = [box(0, 0, 90, 10), box(200, 0, 290, 10)]
    lower = [box(0, 60, 90, 70), box(200, 60, 290, 70)]
    assert sort_lines([*lower, box(0, 30, 290, 40), *upper]) == [3, 4, 2, 0, 1]


def test_lines_that_overlap_are_all_there():
    rng = np.random.default_rng(3)
    quads = [box(x, y, x + w, y + 12) for x, y, w in rng.uniform(0, 60, (25, 3))]
    assert sorted(sort_lines(quads)) == list(range(25))
    assert sort_lines([]) == [] and group_words([]) == [] and find_blocks([]) == []


def test_a_line_lies_around_its_words():
    quads = turned(page([0], 1), 20)
    line = around(quads)
    middle = line[1] - line[0]
    assert np.linalg.norm(middle) > 130
    assert abs(np.degrees(np.arctan2(middle[1], middle[0])) - 20) < 0.5
    np.testing.assert_allclose(line.mean(0), np.concatenate(quads).mean(0), atol=0.5)


def test_blocks_end_at_gutters_and_paragraphs_at_larger_spaces():
    lines = [box(0, y, 140, y + 10) for y in (0, 14, 36, 50)] + [box(200, y, 340, y + 10) for y in (0, 14)]
    places = find_blocks(lines)
    assert [place.block for place in places] == [0, 0, 0, 0, 1, 1]
    assert [place.paragraph for place in places] == [0, 0, 1, 1, 2, 2]


def test_the_outline_of_a_curved_line_follows_its_words():
    """Tops from left to right, then bottoms back; a level line is its quad."""
    arc = [box(50 * n, y, 50 * n + 40, y + 12) for n, y in enumerate((30, 12, 6, 12, 30))]
    found = outline(arc)
    assert found.shape == (20, 2) and found[:2].tolist() == arc[0][:2].tolist()
    assert found[10:12].tolist() == arc[4][[2, 3]].tolist()
    level = [box(50 * n, 2 * (n % 2), 50 * n + 40, 12) for n in range(5)]
    np.testing.assert_allclose(outline(level), around(level))
    assert len(join_words([*arc, *(quad + [0, 200] for quad in level)])) == 6
