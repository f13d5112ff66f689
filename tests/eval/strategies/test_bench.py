"""What a row is judged by: its weights on real pictures, its size and its time."""

from __future__ import annotations

import pytest

from crnn_jt import backend
from crnn_jt.models import build
from crnn_jt.spec import Config
from crnn_jt.weights import Weights, save_weights
from eval.strategies import bench
from eval.strategies.bench import RealSets, time_picture, weigh
from eval.words.sets import find_sets
from tests.crnn_jt import tiny


@pytest.mark.parametrize("spec", [tiny.model(), tiny.direction(), tiny.detector()], ids=lambda spec: spec.kind)
def test_every_kind_of_model_is_weighed_timed_and_judged(spec, tmp_path, monkeypatch):
    """The tables compare recognisers, classifiers of direction and detectors."""
    monkeypatch.setattr(bench, "TIMED", 0.0)
    model = build(spec)
    save_weights(tmp_path / "tiny.safetensors", Weights(backend.state(model), spec))
    parameters, multiply_adds = weigh(model)
    assert 1e3 < parameters < 1e6 < multiply_adds * 50 and time_picture(tmp_path / "tiny.safetensors") > 0
    if spec.kind == "detector":
        root, name = tiny.write_photos(tmp_path / "photos", 2), "photos"
    else:
        root, name = tiny.write_set(tmp_path / "SVT", 3, labels=dict.fromkeys(range(3), "abcd")), "SVT"
    sets = tuple(find_sets(root)[0]) if spec.kind == "recognizer" else ()
    config = Config(spec, tiny.config().train)
    found = RealSets(str(root), sets)(config, tmp_path / "tiny.safetensors")
    assert list(found) == [name] and 0 <= found[name] <= 100
    assert RealSets("")(config, tmp_path / "tiny.safetensors") == {}
