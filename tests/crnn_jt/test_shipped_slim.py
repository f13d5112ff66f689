"""The models that ship in 8 bits: small, made from those that ship beside them, and they read the same.

A level that is rounded to its neighbour moves a logit by more than the golden ones may (`test_golden`): texts are
compared here.
"""

from __future__ import annotations

import pytest
from PIL import Image

from crnn_jt import load
from crnn_jt.weights import bundled_names, find_weights, load_weights
from tests.crnn_jt.test_golden import WORDS, golden

SLIM = [name for name in bundled_names() if name.endswith("-int8")]
READERS = [name for name in SLIM if load_weights(name).spec.kind == "recognizer"]
MOST = {"crnn-light-int8": 2.0}
TOGETHER = {"db-light-int8", "direction-light-int8", "line-light-int8"}
"""Detector, classifier of direction and recogniser of lines: 2.8 MB, as PP-OCR's with 63 symbols."""


def megabytes(name: str) -> float:
    return find_weights(name).stat().st_size / 1e6


@pytest.mark.skipif(not SLIM, reason="no model in 8 bits ships")
def test_they_are_small():
    """PP-OCR's whole system is 2.8 MB; ours, with 180 symbols, is no larger."""
    assert all(megabytes(name) <= most for name, most in MOST.items() if name in SLIM)
    assert set(SLIM) >= TOGETHER and sum(map(megabytes, TOGETHER)) <= 2.8


@pytest.mark.parametrize("name", SLIM)
def test_they_are_made_from_what_ships_beside_them(name):
    """In 8 bits, and nothing in the file says where it was made."""
    weights, origin = load_weights(name), name.removesuffix("-int8")
    assert weights.rounded and weights.spec.name == name and weights.info["made_from"]["name"] == origin
    assert weights.info["made_from"]["weights"] == origin in bundled_names()
    assert "/" not in str(weights.info)


@pytest.mark.parametrize("name", READERS)
def test_they_read_what_the_float_models_read(name):
    """The bundled words of the golden logits."""
    texts = [one.text for one in load(name).read([Image.open(path) for path in WORDS])]
    assert texts == [one["text"] for one in golden()[name.removesuffix("-int8")].values()]
