"""Another program on the same photographs: its figures beside ours, both timed in turn."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ocr
from data_tools.errors import UserError
from eval.photos.bench import Choices, evaluate
from eval.photos.peer import Race, RapidOCR, make_piece, start
from eval.photos.report import format_report
from eval.photos.sets import find_sets
from tests.eval.photos.conftest import TRUTHS, Stand

OWN = Path(".venv-rapidocr/bin/python")


class Peer:
    """Reads all as `exit`, and takes half a second by its own clock."""

    def read(self, image: Image.Image):
        return 0.5, ocr.Page(*image.size, ocr.page.make_lines([make_piece(_box(10, 10, 90, 30), "exit", 0.9)]))


def _box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return np.float32([[left, top], [right, top], [right, bottom], [left, bottom]])


def test_its_figures_stand_beside_ours(root):
    """Scores of both by the same protocol, and how many times as long it takes."""
    sets, problems = find_sets(root, ["IC15"])
    reader = Race(Stand(), Peer())
    results = [evaluate(reader, each, root, Choices()) for each in sets]
    values = results[0].to_json()
    assert values["peer"]["words"]["recall"] == 25.0 and values["words"]["recall"] == 50.0
    assert values["times"]["peer"] == 0.5 and values["times"]["ratio"] > 1
    assert len(results[0].seconds) == len(TRUTHS) and reader.take() == ([], [])
    said = format_report(results, "both", problems)
    assert "the peer" in said and "times as long" in said


def test_words_of_its_lines_share_them_by_their_letters():
    """`to bee`: two and three of six characters."""
    piece = make_piece(_box(0, 0, 60, 10), "to bee", 0.8)
    assert [(word.text, word.quad[:2, 0].round().tolist()) for word in piece.words] == [
        ("to", [0, 20]),
        ("bee", [30, 60]),
    ]


@pytest.mark.skipif(bool(importlib.util.find_spec("rapidocr_onnxruntime")), reason="this environment has RapidOCR")
def test_an_environment_without_it_is_told_what_to_do(monkeypatch):
    monkeypatch.setenv("CRNN_RAPIDOCR_PYTHON", sys.executable)
    with pytest.raises(UserError, match=r"No module named 'rapidocr_onnxruntime'; make .venv-rapidocr/ready"):
        RapidOCR(1).read(Image.new("L", (9, 9)))
    monkeypatch.setenv("CRNN_RAPIDOCR_PYTHON", "/nowhere/python")
    with pytest.raises(UserError, match="cannot be started"):
        RapidOCR(1)
    monkeypatch.setenv("CRNN_RAPIDOCR_PYTHON", "false")  # a program that ends at once
    peer = RapidOCR(1)
    with pytest.raises(UserError, match="it ended"):
        peer.read(Image.new("L", (9, 9)))
    peer.close()
    with pytest.raises(UserError, match="--peer tesseract: it takes rapidocr"):
        start("tesseract", None)


@pytest.mark.skipif(
    not (OWN.is_file() or "CRNN_RAPIDOCR_PYTHON" in os.environ),
    reason="RapidOCR is not installed (make .venv-rapidocr/ready)",
)
def test_rapidocr_reads_the_street():
    peer = RapidOCR(1)
    seconds, page = peer.read(Image.open("ocr/examples/street.jpg"))
    word = Image.open("crnn_jt/bundled/images/08.png")
    upright, overturned = peer.overturned([word, word.transpose(Image.Transpose.ROTATE_180)])
    peer.close()
    assert upright < 0.5 < overturned
    assert seconds > 0 and "embryonic" in page.text.lower()
