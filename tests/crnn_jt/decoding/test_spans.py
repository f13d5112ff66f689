"""Places of characters: what a page needs to put a box around each word of a line."""

import numpy as np
import pytest

from crnn_jt.decoding import ctc
from crnn_jt.decoding.spans import find_spans


@pytest.mark.parametrize("path", [[], [0, 0], [0, 1, 1, 0, 1, 2, 0, 0, 3, 0], [2], [1, 2, 3]])
def test_one_span_a_symbol_from_left_to_right(path):
    spans = find_spans(np.array(path, int))
    assert len(spans) == len(ctc.collapse(path))
    edges = [edge for span in spans for edge in span]
    assert edges == sorted(edges) and all(0 <= edge <= 1 for edge in edges)
    assert all(begin < end for begin, end in spans)


def test_letters_share_what_is_between_them_and_leave_gaps():
    """Four letters in a row, a wide gap, one letter: its box does not reach into the gap."""
    path = np.zeros(40, int)
    path[[2, 6, 10, 14, 34]] = [1, 2, 1, 3, 4]
    spans = [(40 * begin, 40 * end) for begin, end in find_spans(path)]
    assert spans[0] == (0.5, 4.5) and spans[1] == (4.5, 8.5)
    assert spans[3][1] == 16.5 and spans[4] == (32.5, 36.5)


def test_a_single_symbol_has_the_whole_picture():
    assert find_spans(np.array([0, 0, 5, 0])) == ((0.0, 1.0),)
