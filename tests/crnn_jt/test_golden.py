"""Golden logits: what the shipped models give for bundled pictures, kept in `data/golden.json`.

A change anywhere between picture and logits that alters what users read fails here: on Jittor's CPU kernels, on
Jittor's own operators, and on PyTorch. Where it is meant (new weights), remake the file and read its difference:

    python -m tests.crnn_jt.test_golden
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crnn_jt import load
from crnn_jt.backend import NAME
from crnn_jt.export import PICTURES
from crnn_jt.reading import SequenceReader
from crnn_jt.weights import bundled_names, load_weights
from data_tools.files import write_text
from data_tools.text import alphanumeric
from data_tools.transforms import normalise

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "data/golden.json"
WORDS = (PICTURES / "01.png", PICTURES / "06.png")
STAFF = ROOT / "omr/examples/incipit.png"
TOLERANCE = 1e-2  # of logits that reach about 20: float16 weights are the same everywhere, the order of sums is not
BUNDLED = {name: load_weights(name) for name in bundled_names()}
MODELS = [name for name, one in BUNDLED.items() if one.spec.kind == "recognizer" and not one.rounded]


def pictures_of(reader: SequenceReader) -> dict[str, Image.Image]:
    """What a model is shown, by file name: two words, or a staff as the finder frames it."""
    if not reader.spec.labels.vocabulary:
        return {path.name: Image.open(path) for path in WORDS}
    from omr.reading import load as load_scores

    return {STAFF.name: load_scores(reader.name).read(STAFF)[0].image}


def logits_of(reader: SequenceReader) -> dict[str, np.ndarray]:
    """Logits (T, K) of each picture, by its name."""
    found = {}
    for name, picture in pictures_of(reader).items():
        logits, _ = reader.logits(normalise(reader.pixels(picture)[None]))  # (T, 1, K)
        found[name] = np.asarray(logits)[:, 0]
    return found


def golden() -> dict[str, dict[str, dict]]:
    """model -> picture -> {"text", "classes" [T] the best class of each step, "logits" [T] its logit}."""
    return json.loads(GOLDEN.read_text("utf-8"))


@pytest.mark.parametrize("fast", [pytest.param(True, id="kernels"), pytest.param(False, id="operators")])
@pytest.mark.parametrize("name", MODELS)
def test_shipped_models_give_their_golden_logits(name, fast):
    """What a shipped model reads does not change unnoticed, whatever computes it."""
    if fast and NAME != "jittor":
        pytest.skip("Jittor's kernels")
    assert name in golden(), f"{name} ships without golden logits: python -m tests.crnn_jt.test_golden"
    for picture, logits in logits_of(load(name, fast)).items():
        kept = golden()[name][picture]
        classes = np.array(kept["classes"])
        assert len(logits) == len(classes), picture
        best = logits[np.arange(len(classes)), classes]
        np.testing.assert_allclose(best, kept["logits"], rtol=0, atol=TOLERANCE, err_msg=picture)
        assert (logits.max(1) - best < 2 * TOLERANCE).all(), f"{picture}: another class is best"


def test_golden_readings_are_right():
    """The file was made with models that work: it holds what the pictures show."""
    for name in MODELS:
        kept = golden()[name]
        if STAFF.name in kept:
            assert kept[STAFF.name]["text"].split() == STAFF.with_suffix(".semantic").read_text("utf-8").split()
        else:
            assert [alphanumeric(one["text"]) for one in kept.values()] == ["sandier", "sink"], name


def remake() -> None:
    """Writes the golden file with what the models give now: a line a picture."""
    lines = []
    for name in MODELS:
        reader = load(name)
        pictures = pictures_of(reader)
        parts = []
        for picture, logits in logits_of(reader).items():
            classes = logits.argmax(1)
            values = [round(float(value), 3) for value in logits.max(1)]
            kept = {"text": reader.read([pictures[picture]])[0].text, "classes": classes.tolist(), "logits": values}
            parts.append(f"  {json.dumps(picture)}: {json.dumps(kept, ensure_ascii=False)}")
        lines.append(f"{json.dumps(name)}: {{\n" + ",\n".join(parts) + "\n}")
    write_text(GOLDEN, "{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    remake()
