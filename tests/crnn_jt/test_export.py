"""An exported file must read as the model reads, whatever the batch and the width, or not be left behind at all."""

from __future__ import annotations

import numpy as np
import pytest

from crnn_jt import backend, export
from crnn_jt.reading import SequenceReader
from crnn_jt.recognizer import Recognizer
from crnn_jt.weights import Weights
from data_tools.errors import UserError
from tests.crnn_jt.tiny import PROPORTIONAL, lively, model, pictures


def reader(**stages) -> SequenceReader:
    spec = model(**stages)
    return SequenceReader(Weights(backend.state(lively(Recognizer(spec))), spec), "tiny", fast=False)


@pytest.mark.parametrize("stages", [{"extractor": "light"}, {"extractor": "resnet15"}, {"extractor": "vgg_global"}])
def test_the_file_gives_the_models_logits(stages, tmp_path):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    tiny = reader(**stages) if stages["extractor"] == "vgg_global" else reader(**stages, image=PROPORTIONAL)
    path = tmp_path / "tiny.onnx"
    assert export.export_onnx(tiny, path) <= export.TOLERANCE
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for batch in (1, 4):
        images = pictures(batch)
        (logits,) = session.run(None, {"images": images})
        log_probs, _ = tiny.log_probs(images)
        shifted = logits - np.log(np.exp(logits).sum(2, keepdims=True))
        np.testing.assert_allclose(shifted, log_probs, atol=1e-4)


def test_a_file_that_is_wrong_is_not_left_behind(tmp_path, monkeypatch):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(export, "GATES", [0, 1, 2, 3])  # Jittor's order, not ONNX's
    with pytest.raises(UserError, match="not written"):
        export.export_onnx(reader(), tmp_path / "tiny.onnx")
    assert not list(tmp_path.iterdir())


def test_models_that_emit_symbol_by_symbol_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "_require_packages", lambda: None)
    with pytest.raises(UserError, match="attention"):
        export.export_onnx(reader(generator="attention"), tmp_path / "tiny.onnx")


def test_missing_packages_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install onnx onnxruntime"):
        export.export_onnx(None, tmp_path / "tiny.onnx")
