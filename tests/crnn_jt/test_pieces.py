"""Long lines in pieces: nothing is lost, doubled or squeezed where two of them meet."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from crnn_jt.decoding import ctc
from crnn_jt.pieces import MOST, Pieces

PIECES = Pieces(widest=320, height=32, multiple=16, rate=0.25)
SYMBOLS = 12


def say(text: list[int], steps: int, every: int = 3) -> np.ndarray:
    """Log-probabilities (T, K) of a model that sees a symbol at each `every`-th step, quite sure of it."""
    chances = np.full((steps, SYMBOLS), 0.01)
    chances[:, ctc.BLANK] = 1.0
    for place, symbol in enumerate(text):
        chances[1 + every * place] = 0.01
        chances[1 + every * place, symbol] = 1.0
    return np.log(chances / chances.sum(1, keepdims=True))


def read(log_probs: np.ndarray) -> list[int]:
    return ctc.collapse(log_probs.argmax(1))


@pytest.mark.parametrize("width", [320, 336, 480, 496, 640, 1600, 5008])
def test_pieces_cover_the_line_and_overlap(width):
    starts = PIECES.starts(width)
    assert starts[0] == 0 and starts[-1] == width - 320
    assert all(0 < after - before <= 320 - PIECES.overlap for before, after in pairwise(starts))
    assert all(start % 16 == 0 for start in starts), "a piece would begin within a step"
    assert PIECES.cut(np.zeros((2, 1, 32, width), np.uint8)).shape == (2 * len(starts), 1, 32, 320)


@pytest.mark.parametrize("width, every", [(640, 3), (1328, 3), (1328, 2), (5008, 5)])
def test_joined_pieces_say_what_the_line_says(width, every):
    """The same symbols in a row, and pieces that misread what is cut at their ends, change nothing."""
    rng = np.random.default_rng(width)
    steps = width // 4
    texts = [rng.integers(1, SYMBOLS, steps // every - 1).tolist(), [3, 3, 5, 5] * (steps // every // 4)]
    whole = np.stack([say(text, steps, every) for text in texts], axis=1)  # (T, N, K)
    parts = []
    for start in PIECES.starts(width):
        part = whole[start // 4 : start // 4 + 80].copy()
        if start:
            part[:4] = np.log(rng.dirichlet(np.ones(SYMBOLS), (4, 2)))
        if start + 320 < width:
            part[-4:] = np.log(rng.dirichlet(np.ones(SYMBOLS), (4, 2)))
        parts.append(part)
    joined = PIECES.join(np.concatenate(parts, axis=1), width)
    assert joined.shape == whole.shape
    assert [read(joined[:, n]) for n in (0, 1)] == texts


def test_a_symbol_that_two_pieces_see_a_step_apart_is_read_once():
    """CTC puts a symbol anywhere within its letter: the seam must not run between its two places."""
    width, text = 480, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] * 2
    whole = say(text, 120, 6)
    later = np.roll(whole, 1, axis=0)
    starts = PIECES.starts(width)
    parts = [(whole if n % 2 else later)[start // 4 : start // 4 + 80, None] for n, start in enumerate(starts)]
    assert read(PIECES.join(np.concatenate(parts, axis=1), width)[:, 0]) == text


def test_there_is_a_longest_line():
    assert PIECES.longest == MOST * 320
