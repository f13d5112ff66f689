"""An exported file must read as the model reads, whatever the batch and the width, or not be left behind at all."""

from __future__ import annotations

import json
import os
import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

MISSING = [name for name in ("onnx", "onnxruntime") if find_spec(name) is None]
if MISSING:
    beside_torch = os.environ.get("CRNN_BACKEND") == "torch"
    why = "Jittor only: beside PyTorch there is no" if beside_torch else "make .venv/ready-bench installs"
    pytest.skip(f"{why} {' and '.join(MISSING)}", allow_module_level=True)

from crnn_jt import backend, export, onnx_graph
from crnn_jt.decoding import ctc
from crnn_jt.layers import Activation, Conv, Norm, Residual
from crnn_jt.reading import SequenceReader
from crnn_jt.recognizer import Recognizer
from crnn_jt.weights import Weights
from data_tools.errors import UserError
from tests.crnn_jt.tiny import PROPORTIONAL, draw, lively, model, pictures
from tests.oracle.plan import evaluate, random_state

SNIPPET = Path(__file__).parents[2] / "docs/export.md"


def weights(**stages) -> Weights:
    spec = model(**stages)
    return Weights(backend.state(lively(Recognizer(spec))), spec)


def log_softmax(logits):
    shifted = logits - logits.max(2, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(2, keepdims=True))


def session_of(path):
    import onnxruntime

    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(
    "stages",
    [
        {"extractor": "light", "image": PROPORTIONAL},
        {"extractor": "light", "refiner": "bilstm, context", "image": PROPORTIONAL},
        {"extractor": "resnet15", "refiner": "identity"},
        {"extractor": "vgg_global"},
        {"generator": "attention", "image": PROPORTIONAL},
        {"generator": "encoder_decoder", "refiner": "identity"},
    ],
    ids=lambda stages: "+".join(str(value) for value in stages.values() if isinstance(value, str)),
)
def test_the_file_gives_the_models_logits_at_any_batch(stages, tmp_path):
    given, path = weights(**stages), tmp_path / "tiny.onnx"
    done = export.export_onnx(given, path)
    assert done.difference <= 1e-5 and done.size == path.stat().st_size
    assert len({shape[0] for shape in done.compared}) == 3
    if "extractor" not in stages or stages["extractor"] != "vgg_global":
        assert len({shape[3] for shape in done.compared}) > 1
    reader = SequenceReader(given, "tiny", fast=False)
    session = session_of(path)
    for batch in (1, 4):
        images = pictures(batch, seed=batch)
        (logits,) = session.run(None, {"images": images})
        expected, _ = reader.log_probs(images)
        np.testing.assert_allclose(log_softmax(logits), expected, rtol=1e-4, atol=1e-4)


def test_decoders_stop_when_every_image_has_ended(tmp_path):
    given = weights(generator="attention")
    given.arrays["generator.head.bias"][0] = 1e3  # the end, at once
    export.export_onnx(given, tmp_path / "tiny.onnx")
    (logits,) = session_of(tmp_path / "tiny.onnx").run(None, {"images": pictures(2)})
    assert logits.shape == (1, 2, 9)


def test_layers_mean_what_their_definitions_say(tmp_path):
    """Against the numpy definitions, not the framework that the exporter's own check uses."""
    from onnx import TensorProto, helper

    body = (Norm(4), Activation("hardswish"), Conv(4, 4, (3, 5), (1, 1), (1, 2), bias=False))
    plan = (Conv(1, 4, (5, 3), (2, 1), (2, 0)), Residual(body), Residual(body, (Conv(4, 4, (1, 1), padding=(0, 0)),)))
    state = random_state(plan, np.random.default_rng(0))
    graph = onnx_graph.Graph(state)
    value = onnx_graph.stack(graph, plan, "images", "")
    shapes = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", "c", "h", "w"]) for name in ("images", value)
    ]
    made = helper.make_graph(graph.nodes, "plan", shapes[:1], shapes[1:], graph.constants)
    opset = helper.make_opsetid("", onnx_graph.OPSET)
    (tmp_path / "plan.onnx").write_bytes(
        helper.make_model(made, opset_imports=[opset], ir_version=onnx_graph.IR).SerializeToString()
    )
    images = pictures(2, 11)
    (found,) = session_of(tmp_path / "plan.onnx").run(None, {"images": images})
    np.testing.assert_allclose(found, evaluate(plan, state, images, ""), rtol=1e-4, atol=1e-4)


def test_a_file_that_reads_otherwise_is_not_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_graph, "_reordered", lambda gates: np.asarray(gates, np.float32))  # Jittor's gate order
    (tmp_path / "tiny.onnx").write_text("what was here")
    with pytest.raises(UserError, match="not written"):
        export.export_onnx(weights(), tmp_path / "tiny.onnx")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["what was here"]


def test_a_graph_that_cannot_run_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(onnx_graph.ACTIVATIONS, "relu", "NoSuchOperator")
    with pytest.raises(UserError, match="ONNX Runtime cannot run"):
        export.export_onnx(weights(), tmp_path / "tiny.onnx")
    assert not list(tmp_path.iterdir())


def test_stages_without_an_onnx_form_are_named(tmp_path, monkeypatch):
    monkeypatch.delitem(onnx_graph.DECODERS, "attention")
    with pytest.raises(UserError, match="the generator attention has no ONNX form"):
        export.export_onnx(weights(generator="attention"), tmp_path / "tiny.onnx")
    monkeypatch.delitem(onnx_graph.ACTIVATIONS, "relu")
    with pytest.raises(UserError, match="Activation"):
        export.export_onnx(weights(), tmp_path / "tiny.onnx")


def test_weights_of_another_model_are_refused(tmp_path):
    given = weights()
    del given.arrays["generator.head.bias"]
    with pytest.raises(UserError, match=r"missing generator\.head\.bias"):
        export.export_onnx(given, tmp_path / "tiny.onnx")


def test_missing_packages_are_named_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"onnx and onnxruntime not installed; pip install -r requirements-bench\.txt"):
        export.export_onnx(weights(), tmp_path / "tiny.onnx")


def test_the_documented_snippet_reads_what_the_model_reads(tmp_path, monkeypatch):
    given = weights()
    export.export_onnx(given, tmp_path / "crnn-light.onnx")
    picture = draw("abba", (90, 40))
    picture.save(tmp_path / "word.png")
    monkeypatch.chdir(tmp_path)
    code = re.search(r"```python\n(.*?)```", SNIPPET.read_text("utf-8"), re.DOTALL).group(1)
    known: dict = {}
    exec(code, known)
    expected = SequenceReader(given, "tiny", fast=False).read([Image.open(tmp_path / "word.png")])[0].text
    assert known["text"] == expected != ""


def test_the_files_metadata_is_enough_to_read_with(tmp_path):
    given = weights()
    export.export_onnx(given, tmp_path / "tiny.onnx")
    session = session_of(tmp_path / "tiny.onnx")
    told = session.get_modelmeta().custom_metadata_map
    assert told["output"] == "logits" and told["class_0"] == "blank" and told["separator"] == ""
    assert json.loads(told["spec"])["image"]["height"] == 32
    (logits,) = session.run(None, {"images": pictures(1)})
    reading = ctc.greedy(log_softmax(logits), np.array([len(logits)]))[0]
    symbols = json.loads(told["symbols"])
    assert "".join(symbols[k - 1] for k in reading.indices) == SequenceReader(given, "tiny").tokenizer.decode(
        reading.indices
    )
