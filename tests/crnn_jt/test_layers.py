"""Plans: shapes are known before anything is computed, and must be what is computed."""

from __future__ import annotations

import numpy as np
import pytest

from crnn_jt.layers import BiLSTM, Context, Conv, Linear, MaxPool, Norm, Residual, out_channels, out_shape, walk
from crnn_jt.recognizer import EXTRACTORS

RESIDUAL = Residual((Norm(4), Conv(4, 6, bias=False)), (Conv(4, 6, (1, 1), padding=(0, 0)),))


@pytest.mark.parametrize(
    ("plan", "size", "expected"),
    [
        ((Conv(1, 4),), (32, 100), (32, 100)),
        ((Conv(1, 4, (5, 5), (2, 2), (2, 2)),), (32, 101), (16, 51)),
        ((MaxPool(),), (33, 100), (16, 50)),
        ((MaxPool((2, 2), (2, 1), (0, 1)),), (8, 25), (4, 26)),
        ((RESIDUAL, MaxPool()), (8, 8), (4, 4)),
    ],
)
def test_shapes(plan, size, expected):
    """Height and width behind a plan; widths may come as an array."""
    assert out_shape(plan, *size) == expected
    height, widths = out_shape(plan, size[0], np.array([size[1], size[1]]))
    assert height == expected[0] and widths.tolist() == [expected[1]] * 2


@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [
        ("vgg", (32, 100), (512, 1, 26)),
        ("vgg_global", (32, 100), (512, 1, 26)),
        ("resnet15", (32, 100), (512, 1, 26)),
        ("resnet23", (32, 100), (512, 1, 26)),
        ("light", (32, 100), (256, 1, 25)),
        ("staff", (128, 800), (256, 2, 100)),
        ("staff_light", (96, 512), (192, 1, 128)),
    ],
)
def test_extractors_have_the_published_shapes(name, size, expected):
    """The sizes that the paper, the report and the docstrings state."""
    extractor = EXTRACTORS.build(name, {}, in_channels=1, height=size[0])
    assert (extractor.out_channels, *extractor.out_shape(*size)) == expected


@pytest.mark.parametrize(("name", "count"), [("vgg", 7), ("resnet15", 15), ("resnet23", 23), ("staff", 4)])
def test_extractors_have_as_many_convolutions_as_they_say(name, count):
    """1x1 shortcuts are not counted, as in the report."""
    plan = EXTRACTORS.build(name, {}, in_channels=1, height=32).layers()
    assert sum(isinstance(layer, Conv) and layer.kernel != (1, 1) for _, layer in walk(plan)) == count


def test_keys_and_channels():
    """Keys are places in the plan: a weights file depends on them."""
    plan = (Conv(1, 4), RESIDUAL, Linear(6, 5), BiLSTM(5, 3), Context(6))
    assert [key for key, _ in walk(plan)] == ["0", "1.body.0", "1.body.1", "1.shortcut.0", "2", "3", "4"]
    assert [out_channels(plan[:n], 1) for n in range(6)] == [1, 4, 6, 5, 6, 12]
