"""A rectifier before the extractor and a corrector after the generator: optional, and replaceable like the rest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crnn_jt.backend import nn, no_grad, ops, state
from crnn_jt.freeze import NotCovered
from crnn_jt.layers import Linear
from crnn_jt.models import build
from crnn_jt.registry import CORRECTORS, RECTIFIERS
from crnn_jt.spec import StageSpec, from_dict, to_dict
from data_tools.errors import UserError
from tests.crnn_jt import tiny


@RECTIFIERS.register("toy_halve")
class Halve(nn.Module):
    """(N, C, 2H, 2W) -> (N, C, H, W): every other row and column."""

    def __init__(self, in_channels: int, height: int):
        super().__init__()

    def named_layers(self):
        return {}

    def out_shape(self, height, width):
        return height // 2, width // 2

    def execute(self, images, widths):
        return images[:, :, ::2, ::2], np.asarray(widths) // 2


@CORRECTORS.register("toy_shift")
class Shift(nn.Module):
    """Adds what a linear layer makes of the logits; its loss joins the generator's by name."""

    def __init__(self, classes: int, scale: float = 1.0):
        super().__init__()
        self.layer, self.scale = Linear(classes, classes), scale
        self.head = nn.Linear(classes, classes)

    def named_layers(self):
        return {"head": self.layer}

    def execute(self, generator, sequence, lengths):
        logits = generator(sequence, lengths)
        return logits + self.scale * self.head(logits)

    def losses(self, generator, sequence, lengths, targets, sizes):
        size = self.head(generator(sequence, lengths))
        return generator.losses(sequence, lengths, targets, sizes) | {"shift": (size * size).mean()}


BOTH = replace(
    tiny.model(image=replace(tiny.FIXED, height=64, width=80)),
    rectifier=StageSpec("toy_halve"),
    corrector=StageSpec("toy_shift", {"scale": 0.5}),
)


def test_they_are_part_of_the_model():
    """Steps follow from the rectified picture; arrays, losses and logits from both."""
    recognizer = tiny.lively(build(BOTH))
    images = np.random.default_rng(0).uniform(-1, 1, (tiny.BATCH, 1, 64, 80)).astype(np.float32)
    widths = np.full(tiny.BATCH, 80)
    assert recognizer.steps(widths).tolist() == [10] * 4
    assert {"corrector.head.weight", "corrector.head.bias"} <= set(state(recognizer))
    with no_grad():
        logits, _ = recognizer(ops.array(images), widths)
        plain = recognizer.generator(*recognizer.sequence(ops.array(images), widths))
        losses = recognizer.losses(ops.array(images), widths, np.ones((4, 1), np.int64), np.ones(4, np.int64))
    weight, bias = (state(recognizer)[f"corrector.head.{name}"] for name in ("weight", "bias"))
    expected = ops.numpy(plain) + 0.5 * (ops.numpy(plain) @ weight.T + bias)
    np.testing.assert_allclose(ops.numpy(logits), expected, rtol=1e-4, atol=1e-4)
    assert set(losses) == {"ctc", "shift"}


def test_the_spec_says_them_and_leaves_them_out_where_there_are_none():
    """A file of a model without them stays as it was."""
    assert from_dict(type(BOTH), to_dict(BOTH)) == BOTH
    assert not {"rectifier", "corrector"} & set(to_dict(tiny.model()))


def test_what_they_cannot_do_yet_is_refused_by_name():
    """The CPU kernels have no rectifier; a reader then takes the plain path."""
    with pytest.raises(NotCovered, match="a rectifier"):
        build(BOTH).freeze({})
    with pytest.raises(UserError, match=r"rectifier: no 'tps9'; there are: .*toy_halve"):
        build(replace(BOTH, rectifier=StageSpec("tps9")))
