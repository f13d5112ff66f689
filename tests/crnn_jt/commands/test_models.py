"""`models`: what ships and what can be trained."""

from __future__ import annotations

import json
import shutil

from crnn_jt import weights as module
from crnn_jt.spec import config_names


def test_models_and_configurations(crnn_jt, weights, tmp_path, monkeypatch):
    """Name, stages, size and what the file says of its training; then the configurations."""
    shutil.copy(weights, tmp_path / "tiny.safetensors")
    monkeypatch.setattr(module, "BUNDLED", tmp_path)
    _, out, _ = crnn_jt("models", "--json")
    found = json.loads(out)
    assert found["configurations"] == config_names()
    (model,) = found["models"]
    assert model["name"] == "tiny" and model["stages"] == "light -> bilstm -> ctc" and model["info"] == {"step": 1}
    _, out, _ = crnn_jt("models")
    assert out.startswith("tiny") and "step: 1" in out


def test_without_a_model_the_configurations_are_listed(crnn_jt, tmp_path, monkeypatch):
    """A source tree without weights still says what can be trained."""
    monkeypatch.setattr(module, "BUNDLED", tmp_path)
    code, out, _ = crnn_jt("models")
    assert not code and "crnn-light" in out
