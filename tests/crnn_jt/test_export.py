"""An exported file must read as the model reads, whatever the batch and the width, or not be left behind at all."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
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

from crnn_jt import backend, export
from crnn_jt.compression.eight_bits import open_to_rounding, store
from crnn_jt.decoding import ctc
from crnn_jt.models import Recognizer, build
from crnn_jt.onnx import decoders, nodes
from crnn_jt.reading import SequenceReader
from crnn_jt.regions import place_grid
from crnn_jt.registry import CORRECTORS
from crnn_jt.spec import StageSpec
from crnn_jt.weights import Weights
from data_tools.errors import UserError
from tests.crnn_jt import toy
from tests.crnn_jt.tiny import PROPORTIONAL, detector, direction, draw, lively, model, pictures, spotter

SLANTED = np.float32([[20, 12], [48, 20], [46, 40], [18, 30]])
SNIPPET = Path(__file__).parents[2] / "docs/export.md"


def weights(**stages) -> Weights:
    spec = model(**stages)
    backend.seed(1)
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
        {"extractor": "mobilenet_v3", "image": PROPORTIONAL},
        {"extractor": "cells", "image": PROPORTIONAL},
        {"extractor": "resnet15", "refiner": "identity"},
        {"extractor": "vgg_global"},
        {"generator": "attention", "image": PROPORTIONAL},
        {"generator": "attention, gru", "image": PROPORTIONAL},
        {"generator": "encoder_decoder", "refiner": "identity"},
        {"refiner": "transformer", "image": PROPORTIONAL},
        {"generator": "parallel", "refiner": "identity", "image": PROPORTIONAL},
        {"extractor": "resnet45", "refiner": "transformer", "generator": "parallel"},
    ],
    ids=lambda stages: "+".join(str(value) for value in stages.values() if isinstance(value, str)),
)
def test_the_file_gives_the_models_logits_at_any_batch(stages, tmp_path):
    given, path = weights(**stages), tmp_path / "tiny.onnx"
    done = export.export_onnx(given, path)
    assert done.difference <= 1e-5 and done.size == path.stat().st_size
    assert len({shape[0] for shape in done.compared}) == 3
    if stages.get("extractor") not in ("vgg_global", "resnet45"):
        assert len({shape[3] for shape in done.compared}) > 1
    reader = SequenceReader(given, "tiny", fast=False)
    session = session_of(path)
    for batch in (1, 4):
        images = pictures(batch, seed=batch)
        (logits,) = session.run(None, {"images": images})
        expected, _ = reader.log_probs(images)
        np.testing.assert_allclose(log_softmax(logits), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "stages",
    [{"extractor": "resnet45", "refiner": "transformer"}, {"refiner": "identity", "image": PROPORTIONAL}],
    ids=["grid", "columns"],
)
def test_a_corrector_is_written_with_its_iterations(stages, tmp_path):
    """Texts that end early, late and not at all: what stands after the end must stay hidden, at any batch."""
    spec = replace(model(generator="parallel", **stages), corrector=StageSpec("bcn", CORRECTORS.get("bcn").tiny))
    own = lively(build(spec))
    given, path, images = Weights(backend.state(own), spec), tmp_path / "tiny.onnx", pictures(4)
    for end in (-20.0, 2.0, 20.0):
        given.arrays["generator.head.bias"][0] = end
        assert export.export_onnx(given, path).difference <= 1e-5
        session = session_of(path)
        (logits,) = session.run(None, {"images": images})
        expected, _ = SequenceReader(given, "tiny", fast=False).log_probs(images)
        np.testing.assert_allclose(log_softmax(logits), expected, rtol=1e-4, atol=1e-4)
    assert session.get_modelmeta().custom_metadata_map["class_0"] == "end"


def test_a_detector_takes_photographs_of_any_size(tmp_path):
    """Height and width are open, in multiples that the file tells."""
    spec, path = detector(), tmp_path / "tiny.onnx"
    own = lively(build(spec))
    done = export.export_onnx(Weights(backend.state(own), spec), path)
    assert done.output == "probabilities" and done.difference <= 1e-4
    assert len({shape[2:] for shape in done.compared}) == 3
    session = session_of(path)
    told = session.get_modelmeta().custom_metadata_map
    assert told["kind"] == "detector" and int(told["stride"]) == own.stride
    multiple = int(told["multiple"])
    photographs = np.random.default_rng(1).uniform(-1, 1, (1, 1, multiple, 5 * multiple)).astype(np.float32)
    (found,) = session.run(None, {"images": photographs})
    np.testing.assert_allclose(found, own.probabilities(photographs), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("generator", ["attention", "ctc"])
def test_a_spotter_becomes_a_file_that_finds_and_one_that_reads(generator, tmp_path):
    """Photographs of any size; regions of any number and width, cut along their quads."""
    spec, path = spotter(generator), tmp_path / "tiny.onnx"
    own = lively(build(spec))
    done = export.export_onnx(Weights(backend.state(own), spec), path)
    (beside,) = done.beside
    assert Path(beside.path) == tmp_path / "tiny.read.onnx" and max(done.difference, beside.difference) <= 1e-4
    assert [len({shape[:3] for shape in each.compared}) for each in (done, beside)] == [3, 3]
    photograph = np.random.default_rng(1).uniform(-1, 1, (1, 1, 64, 96)).astype(np.float32)
    quads = [SLANTED, SLANTED + 20]
    found, features = session_of(path).run(None, {"images": photograph})
    np.testing.assert_allclose(found, own.probabilities(photograph), rtol=1e-4, atol=1e-5)
    places = np.stack([place_grid(quad, spec.region.height, 16, 16) for quad in quads]).astype(np.float32)
    (logits,) = session_of(beside.path).run(None, {"features": features, "places": places})
    expected, _ = own.read(own.features(backend.ops.array(photograph)), [quads])
    np.testing.assert_allclose(log_softmax(logits), expected, rtol=1e-4, atol=1e-4)
    told = session_of(beside.path).get_modelmeta().custom_metadata_map
    assert told["kind"] == "spotter" and told["class_0"] == {"ctc": "blank", "attention": "end"}[generator]


def test_a_two_stage_head_is_named(tmp_path):
    """As a detector's and as a spotter's, before anything is written."""
    options = {"hidden": 8, "proposals": 8}
    for spec in (detector(), spotter()):
        two = replace(spec, neck=StageSpec("levels", {"inner": 8}), head=StageSpec("proposals", options))
        with pytest.raises(UserError, match="the head proposals has no ONNX form"):
            export.export_onnx(Weights(backend.state(build(two)), two), tmp_path / "tiny.onnx")
    assert not list(tmp_path.iterdir())


def test_a_classifier_of_direction_can_be_written(tmp_path):
    spec = direction()
    own = lively(build(spec))
    done = export.export_onnx(Weights(backend.state(own), spec), tmp_path / "tiny.onnx")
    assert done.output == "probabilities" and done.difference <= 1e-4
    (found,) = session_of(tmp_path / "tiny.onnx").run(None, {"images": pictures(4)})
    np.testing.assert_allclose(found, own.probabilities(pictures(4)), rtol=1e-4, atol=1e-5)


def test_a_kind_of_model_without_an_onnx_form_is_named(tmp_path):
    """Additions have none until they bring one."""
    spec = toy.ToySpec("toy")
    with pytest.raises(UserError, match=r"'toy'.*detector, direction, recognizer, spotter"):
        export.export_onnx(Weights(backend.state(build(spec)), spec), tmp_path / "toy.onnx")


def test_decoders_stop_when_every_image_has_ended(tmp_path):
    given = weights(generator="attention")
    given.arrays["generator.head.bias"][0] = 1e3  # the end, at once
    export.export_onnx(given, tmp_path / "tiny.onnx")
    (logits,) = session_of(tmp_path / "tiny.onnx").run(None, {"images": pictures(2)})
    assert logits.shape == (1, 2, 9)


def test_a_file_that_reads_otherwise_is_not_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(nodes, "_reorder_gates", lambda gates: np.asarray(gates, np.float32))  # left in our order
    (tmp_path / "tiny.onnx").write_text("what was here")
    with pytest.raises(UserError, match="not written"):
        export.export_onnx(weights(), tmp_path / "tiny.onnx")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["what was here"]


def test_a_graph_that_cannot_run_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(nodes.ACTIVATIONS, "relu", "NoSuchOperator")
    with pytest.raises(UserError, match="ONNX Runtime cannot run"):
        export.export_onnx(weights(), tmp_path / "tiny.onnx")
    assert not list(tmp_path.iterdir())


def test_stages_without_an_onnx_form_are_named(tmp_path, monkeypatch):
    monkeypatch.delitem(decoders.DECODERS, "attention")
    with pytest.raises(UserError, match="the generator attention has no ONNX form"):
        export.export_onnx(weights(generator="attention"), tmp_path / "tiny.onnx")
    monkeypatch.delitem(nodes.ACTIVATIONS, "relu")
    with pytest.raises(UserError, match="Activation"):
        export.export_onnx(weights(), tmp_path / "tiny.onnx")


def test_weights_of_another_model_are_refused(tmp_path):
    given = weights()
    del given.arrays["generator.head.bias"]
    with pytest.raises(UserError, match=r"missing generator\.head\.bias"):
        export.export_onnx(given, tmp_path / "tiny.onnx")


def test_missing_packages_are_named_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"onnx and onnxruntime not installed; pip install 'crnn-jt\[export\]'"):
        export.export_onnx(weights(), tmp_path / "tiny.onnx")


@pytest.mark.parametrize(
    "stages",
    [
        {},
        {"image": PROPORTIONAL},
        {"generator": "attention", "image": PROPORTIONAL},
        {"generator": "parallel", "refiner": "identity", "image": PROPORTIONAL},
    ],
    ids=["fixed", "proportional", "decoder", "parallel"],
)
@pytest.mark.parametrize("size", [(90, 40), (40, 90), (200, 40)], ids=["word", "high", "long"])
def test_the_documented_snippet_reads_what_the_model_reads(stages, size, tmp_path, monkeypatch):
    """Long pictures are not squeezed by it, and those of a phone stand upright."""
    given = weights(**stages)
    export.export_onnx(given, tmp_path / "crnn-light.onnx")
    exif = Image.Exif()
    exif[0x0112] = 3
    draw("abba", size).transpose(Image.Transpose.ROTATE_180).save(tmp_path / "word.png", exif=exif)
    monkeypatch.chdir(tmp_path)
    code = re.search(r"```python\n(.*?)```", SNIPPET.read_text("utf-8"), re.DOTALL).group(1)
    known: dict = {}
    exec(code, known)
    expected = SequenceReader(given, "tiny", fast=False).read([tmp_path / "word.png"])[0].text
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


def in_8_bits(given: Weights) -> Weights:
    """Calibrated in a way: what comes in lies within 2."""
    opened = open_to_rounding(given, recurrent=True)
    ranges = {key: np.float32([2]) for key in opened.arrays if key.endswith(".range")}
    return store(replace(opened, arrays=opened.arrays | ranges))


@pytest.mark.parametrize("kind", [model, detector, direction], ids=lambda kind: kind.__name__)
def test_products_in_8_bits_stay_such_in_onnx_runtime(kind, tmp_path):
    """Normalisation and bias go into convolutions of integers; a node of its own left them in floats, and slow."""
    import onnx
    import onnxruntime

    spec = kind("light", image=PROPORTIONAL) if kind is model else kind()
    backend.seed(1)
    given, path = in_8_bits(Weights(backend.state(lively(build(spec, 1))), spec)), tmp_path / "int8.onnx"
    done = export.export_onnx(given, path)
    assert done.difference <= export.STEP_TOLERANCE
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    kinds = [node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node]
    assert "BatchNormalization" not in kinds and (kind is not model or "QLinearConv" in kinds)
