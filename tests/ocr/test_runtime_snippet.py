"""The documented pipeline on ONNX Runtime reads what the project reads with the same models."""

from __future__ import annotations

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

from crnn_jt import reading
from crnn_jt.backend import ops, state
from crnn_jt.detecting import Resolution, TextDetector
from crnn_jt.directing import PLACES, DirectionReader
from crnn_jt.export import export_onnx
from crnn_jt.models import build
from crnn_jt.pictures import open_picture
from crnn_jt.spotting import SpotReader
from crnn_jt.weights import Weights, load_weights
from data_tools.loader.turned import cut_part
from data_tools.photos.cutting import cut, is_tall
from data_tools.transforms import normalise
from ocr.reading import PhotoReader, ReadingOptions
from tests.crnn_jt import tiny
from tests.ocr.pictures import draw_words

DOCUMENT = Path(__file__).parents[2] / "docs/export.md"
WORDS = {(16, 16): "HOTEL", (150, 16): "market", (16, 80): "london", (150, 84): "1984"}
BLUE = np.float32([0.6, 0.8, 1])


def draw_photograph(shrunk: int) -> Image.Image:
    """Four words, and one that runs up, on blue; its sides are not multiples of the detector's."""
    image, _ = draw_words(WORDS, (280, 150))
    image.paste(draw_words({(4, 4): "down"}, (90, 36))[0].rotate(90, expand=True), (242, 40))
    image = Image.fromarray(np.uint8(np.asarray(image) * BLUE))
    return image.resize((280 // shrunk, 150 // shrunk), Image.Resampling.BILINEAR)


def run_documented(*numbers: int) -> dict:
    """What the document's blocks of code of these numbers, one after the other, leave behind."""
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    known: dict = {}
    for number in numbers:
        exec(blocks[number], known)
    return known


def find_ink(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A detector's arrays by hand, so that it finds what is dark: that is in the first channel of all."""
    made = {}
    for key, value in arrays.items():
        made[key] = np.zeros_like(value)
        if value.ndim == 1:
            made[key] += key.endswith(("running_var", "weight"))
        elif key.startswith("extractor") or key == "head.shrink.3.weight":
            made[key][0, 0] = 1 / value[0, 0].size  # a mean
        elif value.shape[2:] == (3, 3) or value.shape[1] == 4:  # as it is; coarse maps are shut out
            made[key][0, 0, value.shape[2] // 2, value.shape[3] // 2] = 1
    made["extractor.stack.0.weight"] *= -1
    made["extractor.stack.1.bias"] += 0.5
    made["head.shrink.3.weight"] *= 80
    made["head.shrink.3.bias"] -= 8
    return made


def ink_detector() -> Weights:
    """A detector that finds what is dark."""
    spec = tiny.detector()
    return Weights(find_ink(state(build(spec))), spec)


def ink_spotter() -> Weights:
    """A spotter that finds what is dark, and is sure of what it reads: random letters, others for most words."""
    spec = tiny.spotter()
    arrays = state(tiny.lively(build(spec, 6), 6))
    finding = find_ink({key: value for key, value in arrays.items() if key.startswith(("extractor", "neck", "head"))})
    sharp = {"branch.stack": 3, "refiner": 20, "generator.cell.weight_ih": 20, "generator.head.weight": 50}
    sharp |= dict.fromkeys(("generator.keys", "generator.query", "generator.energy"), 20)
    for key, value in arrays.items():
        if value.ndim > 1 or not key.startswith("branch"):
            arrays[key] = value * next((factor for start, factor in sharp.items() if key.startswith(start)), 1)
    return Weights(arrays | finding, spec)


def turns_one(crops: list[np.ndarray]) -> Weights:
    """A classifier with random weights that says of one of these pictures that it stands on its head."""
    spec = tiny.direction()
    arrays = state(tiny.lively(build(spec)))
    reader = DirectionReader(Weights(arrays, spec), "tiny")
    parts = [[cut_part(open_picture(crop), reader.transform, place) for place in PLACES] for crop in crops]
    pixels = np.stack([reader.transform.pixels(part) for each in parts for part in each])
    upright, overturned = ops.numpy(reader.model(ops.array(normalise(pixels)))).reshape(len(crops), -1, 2).mean(1).T
    arrays["head.0.bias"][1] -= np.sort(overturned - upright)[-2:].mean()
    return Weights({key: value * (1000 if key.startswith("head") else 1) for key, value in arrays.items()}, spec)


@pytest.mark.parametrize("shrunk, scale", [(1, 1.0), (2, 2.0)])
def test_the_documented_pipeline_reads_what_the_project_reads(shrunk, scale, tmp_path, monkeypatch):
    """Boxes, texts and confidences, also where a small picture is looked at from closer."""
    photograph = draw_photograph(shrunk)
    photograph.save(tmp_path / "street.png")
    found = TextDetector(ink_detector(), "tiny").find(photograph, Resolution(scale))
    direction = turns_one([cut(np.asarray(photograph), each.quad) for each in found if not is_tall(each.quad)])
    models = {"detector": ink_detector(), "direction": direction, "recognizer": load_weights("crnn-light")}
    for name, weights in models.items():
        export_onnx(weights, tmp_path / f"{name}.onnx")
    reader = PhotoReader(
        TextDetector(models["detector"], "tiny"),
        reading.SequenceReader(models["recognizer"], "crnn-light"),
        DirectionReader(models["direction"], "tiny"),
        ReadingOptions(angle=0),
    )
    page = reader.read(tmp_path / "street.png", language="none")

    monkeypatch.chdir(tmp_path)
    known = run_documented(1, 2)
    words = {word.text: word for word in page.words}
    assert page.scale == scale and words.keys() == {text for text, _, _ in known["found"]}
    assert len(words.keys() & {"hotel", "market", "london", "1984", "down"}) == 4  # one was read on its head
    for text, confidence, quad in known["found"]:
        np.testing.assert_allclose(quad, words[text].quad, atol=0.01)
        assert confidence == pytest.approx(words[text].confidence, abs=0.01)


@pytest.mark.parametrize("shrunk, scale", [(1, 1.0), (2, 2.0)])
def test_the_documented_spotting_reads_what_the_project_reads(shrunk, scale, tmp_path, monkeypatch):
    """Boxes, texts and confidences, also where a small picture is looked at from closer."""
    draw_photograph(shrunk).save(tmp_path / "street.png")
    export_onnx(ink_spotter(), tmp_path / "spotter.onnx")
    spotter = SpotReader(ink_spotter(), "tiny")
    page = PhotoReader(spotter, spotter, None, ReadingOptions(angle=0)).read(tmp_path / "street.png", language="none")

    monkeypatch.chdir(tmp_path)
    found = sorted(run_documented(1, 3)["found"], key=lambda each: each[2].mean(0).tolist())
    words = sorted(page.words, key=lambda word: word.quad.mean(0).tolist())
    assert page.scale == scale and len({word.text for word in words}) >= 3
    assert [text for text, _, _ in found] == [word.text for word in words]
    for (_, confidence, quad), word in zip(found, words):
        np.testing.assert_allclose(quad, word.quad, atol=0.01)
        assert confidence == pytest.approx(word.confidence, abs=0.01)
