"""The speed bench's table and bars: what is missing must be named, not be an empty place."""

import pytest
from PIL import Image

from eval.speed.report import format_document, plot
from eval.speed.tasks import REFERENCE


def test_the_table_names_what_is_missing(document):
    text = format_document(document)
    assert "batch 8" in text and "29 ± 15.6 (4.00)" in text
    assert "openvino-f32        left out: ModuleNotFoundError: No module named 'openvino'" in text
    assert "1.5  0.08  100  1.0e-06" in text


@pytest.mark.parametrize("name", ["bars.png", "bars.svg"])
def test_the_plot_is_a_picture(document, tmp_path, name):
    document["inference"]["crnn"]["16"] = {REFERENCE: document["inference"]["crnn"]["8"][REFERENCE]}
    plot(document, tmp_path / name)
    assert b"<svg" in (tmp_path / name).read_bytes() if name.endswith("svg") else Image.open(tmp_path / name).size


def test_without_inference_the_table_has_no_difference(document):
    document["training"], document["inference"] = document["inference"], {}
    del document["engines"]["crnn"]["jittor"]["difference"]
    text = format_document(document)
    assert "training, crnn: images/s" in text and "1.5  0.08  100  -" in text
