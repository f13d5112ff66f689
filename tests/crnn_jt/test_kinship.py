"""Symbols with a part in common learn from each other's samples."""

from __future__ import annotations

import numpy as np
import pytest

from crnn_jt.backend import ops
from crnn_jt.kinship import Kinship
from crnn_jt.models import Recognizer
from crnn_jt.spec import LabelSpec
from crnn_jt.tokenizer import Tokenizer
from data_tools.errors import UserError

PARTS = [{"C4", "quarter"}, {"C4", "half"}, {"D4", "half"}, {"barline"}, set()]


def shared(gradient, name="generator.head.weight"):
    given = ops.array(gradient.astype(np.float32))
    return ops.numpy(Kinship(PARTS, 0.5, Recognizer.symbol_rows).share([name], [given])[0])


def test_a_step_is_that_of_rows_which_are_sums_of_their_parts():
    """Descent on own rows and rows of C4 and half (what only one symbol has is no kin), by the definition."""
    gradient = np.random.default_rng(0).standard_normal((6, 3))
    c4, half = gradient[1] + gradient[2], gradient[2] + gradient[3]
    kin = np.stack([np.zeros(3), c4, c4 + half, half, np.zeros(3), np.zeros(3)])
    np.testing.assert_allclose(shared(gradient), gradient + 0.5 * kin, rtol=1e-5, atol=1e-6)


def test_biases_and_an_embedding_with_a_row_more():
    """All arrays with a row for each symbol, whatever follows the symbols."""
    bias = np.array([1, 2, 4, 8, 16, 32])
    np.testing.assert_allclose(shared(bias, "generator.head.bias"), [1, 5, 13, 14, 16, 32])
    rows = shared(np.ones((7, 2)), "generator.embedding.weight")
    np.testing.assert_allclose(rows[:, 0], [1, 2, 3, 2, 1, 1, 1])


def test_other_arrays_are_left_alone():
    np.testing.assert_array_equal(shared(np.ones((6, 3)), "generator.keys.weight"), np.ones((6, 3)))


def test_notes_are_kin_by_pitch_and_duration():
    """As the published vocabulary has them; characters have no parts, and asking for their kinship is a mistake."""
    tokenizer = Tokenizer(LabelSpec(characters="", vocabulary="semantic"))
    parts = dict(zip(tokenizer.symbols, tokenizer.parts()))
    assert len(parts["note-F#4_eighth"] & parts["note-F#4_half"]) == 3  # pitch, name, place
    assert not parts["note-F#4_eighth"] & (parts["gracenote-G4_eighth"] | parts["rest-eighth"] | parts["clef-G2"])
    drawn = Tokenizer(LabelSpec(characters="", vocabulary="agnostic"))
    figures = dict(zip(drawn.symbols, drawn.parts()))
    assert len(figures["note.quarter-L3"] & figures["accidental.flat-L3"]) == 1
    with pytest.raises(UserError, match=r"kinship: these symbols have no parts in common"):
        Kinship(Tokenizer(LabelSpec(characters="abc")).parts(), 1.0, ())
