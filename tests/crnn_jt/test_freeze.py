"""Freezing: whatever layers a model is made of, the frozen network must give what the layers' definitions give."""

from __future__ import annotations

import os

import numpy as np
import pytest

from crnn_jt.freeze import NotCovered, Parts, freeze_parts
from crnn_jt.layers import (
    Activation,
    BatchNorm,
    BiLSTM,
    Conv,
    Dropout,
    GlobalMaxContext,
    Linear,
    MaxPool,
    Residual,
    out_channels,
    out_shape,
)
from crnn_jt.sequences import CHANNELS
from tests.oracle.plan import evaluate, random_state

RELU = Activation("relu")
on_jittor = pytest.mark.skipif(os.environ.get("CRNN_BACKEND") == "torch", reason="Jittor's operator around the kernels")


def unit(channels_in, channels_out, kernel=(3, 3), stride=(1, 1), padding=(1, 1), kind="relu"):
    convolution = Conv(channels_in, channels_out, kernel, stride, padding, bias=False)
    return convolution, BatchNorm(channels_out), Activation(kind)


def preactivated(channels_in, channels_out):
    body = (
        BatchNorm(channels_in),
        RELU,
        Conv(channels_in, channels_out, bias=False),
        BatchNorm(channels_out),
        RELU,
        Conv(channels_out, channels_out, bias=False),
    )
    shortcut = Conv(channels_in, channels_out, (1, 1), padding=(0, 0), bias=False)
    return Residual(body, () if channels_in == channels_out else (shortcut,))


TALL = (Conv(24, 20, (4, 1), padding=(0, 0)), RELU)

# name -> (input (channels, height, width), extractor, refiner)
NETWORKS = {
    "vgg": (
        (1, 16, 23),
        (
            Conv(1, 16),
            RELU,
            MaxPool(),
            *unit(16, 32),
            MaxPool(),
            *unit(32, 72),
            MaxPool((2, 2), (2, 1), (0, 1)),
            Conv(72, 40, (2, 2), padding=(0, 0)),
            RELU,
        ),
        (BiLSTM(40, 16), GlobalMaxContext(32), Linear(64, 24), BiLSTM(24, 16), Linear(32, 20), Dropout(0.5)),
    ),
    "light": (
        (1, 32, 37),
        (
            *unit(1, 8, (5, 5), (2, 2), (2, 2)),
            *unit(8, 24),
            MaxPool(),
            *unit(24, 24),
            MaxPool((2, 1), (2, 1)),
            *TALL,
        ),
        (BiLSTM(20, 11),),
    ),
    "colour, odd sizes": (
        (3, 13, 17),
        (*unit(3, 19, kind="hardswish"), MaxPool((3, 3), (2, 2), (1, 1)), *unit(19, 33, stride=(2, 1))),
        (Dropout(0.1), BiLSTM(33 * 4, 5)),
    ),
    "pre-activated residual units": (
        (1, 8, 12),
        (Conv(1, 18, bias=False), preactivated(18, 18), MaxPool(), preactivated(18, 34), BatchNorm(34), RELU),
        (),
    ),
    "residual units, activation after the sum": (
        (2, 8, 9),
        (*unit(2, 16), Residual(unit(16, 16)[:2]), RELU, Residual(unit(16, 16), unit(16, 16, (1, 1), padding=(0, 0)))),
        (),
    ),
    "a residual unit first, hard swish alone, pooling last": (
        (1, 6, 7),
        (
            Residual((Conv(1, 1),)),
            Activation("hardswish"),
            BatchNorm(1),
            Conv(1, 4),
            Activation("hardswish"),
            MaxPool(),
        ),
        (),
    ),
    "two poolings in a row": ((1, 16, 24), (Conv(1, 20), RELU, MaxPool((2, 1), (2, 1)), MaxPool((2, 2), (2, 2))), ()),
    "nothing at all": ((1, 4, 5), (), ()),
}


def build(name, seed=0, classes=7, library=None):
    """The named network with random weights: (frozen, function that gives the logits by definition, images' shape)."""
    shape, extractor, refiner = NETWORKS[name]
    rng = np.random.default_rng(seed)
    rows, _ = out_shape(extractor, *shape[1:])
    features = rows * out_channels(extractor, shape[0])
    head = Linear(out_channels(refiner, features), classes)
    state = random_state(extractor, rng, "extractor.stack.") | random_state(refiner, rng, "refiner.stack.")
    state |= {
        f"generator.head.{key[2:]}": value for key, value in random_state((head,), rng).items()
    }  # "0.weight" -> "weight"
    frozen = freeze_parts(Parts(shape[0], extractor, refiner, head), state, library)

    def reference(images):
        maps = evaluate(extractor, state, images, "extractor.stack.")
        steps = maps.transpose(3, 0, 1, 2).reshape(maps.shape[3], maps.shape[0], -1)  # (T, N, C·H)
        steps = evaluate(refiner, state, steps, "refiner.stack.")
        return steps @ state["generator.head.weight"].T.astype(np.float64) + state["generator.head.bias"]

    return frozen, reference, shape


def pictures(batch, shape, seed=1):
    return np.random.default_rng(seed).uniform(-1, 1, (batch, *shape)).astype(np.float32)


def assert_close(logits, expected):
    """Within 1e-4 of the largest logit, as the fast path promises; with small networks a good deal closer."""
    assert logits.shape == expected.shape and logits.dtype == np.float32
    assert np.abs(logits - expected).max() <= 2e-5 * np.abs(expected).max()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("batch", [1, 3])
def test_frozen_network_gives_what_its_layers_define(name, batch):
    frozen, reference, shape = build(name)
    images = pictures(batch, shape)
    assert_close(frozen.run_directly(images), reference(images))


@pytest.mark.parametrize("name", ["vgg", "light"])
def test_widths_may_change_from_call_to_call(name):
    frozen, reference, (channels, height, width) = build(name)
    for other in (width, width + 5, width - 3, width):
        images = pictures(2, (channels, height, other))
        assert_close(frozen.run_directly(images), reference(images))


@pytest.mark.parametrize("name", ["vgg", "light", "pre-activated residual units"])
def test_an_image_gives_the_same_bits_alone_and_in_any_batch(name):
    frozen, _, shape = build(name)
    images = pictures(141, shape)
    together = frozen.run_directly(images)
    for index in (0, 17, 140):
        np.testing.assert_array_equal(together[:, index], frozen.run_directly(images[index : index + 1])[:, 0])
    np.testing.assert_array_equal(together, frozen.run_directly(images))


@on_jittor
def test_logits_through_jittor_are_the_kernels_own():
    frozen, _, shape = build("light")
    images = pictures(2, shape)
    np.testing.assert_array_equal(frozen.run(images), frozen.run_directly(images))


def test_layers_that_the_kernels_do_not_know_are_named():
    head = Linear(4, 3)
    with pytest.raises(NotCovered, match="channels"):
        freeze_parts(Parts(1, (), (), head, CHANNELS), {})
    with pytest.raises(NotCovered, match="BiLSTM among image layers"):
        freeze_parts(Parts(1, (BiLSTM(4, 4),), (), head), {})
    with pytest.raises(NotCovered, match="Conv among sequence layers"):
        freeze_parts(Parts(1, (), (Conv(1, 1),), head), {})


def test_without_kernels_nothing_is_compiled(monkeypatch):
    """Where there is no compiler the plain network reads; an error from the compiler would end the program."""

    def compile_them(*_):
        raise AssertionError("compiled without asking whether the kernels are wanted")

    monkeypatch.setattr("crnn_jt.freeze.images.Network", compile_them)
    monkeypatch.setattr("crnn_jt.freeze.images.fast.available", lambda: False)
    with pytest.raises(NotCovered, match="CRNN_FAST=0"):
        freeze_parts(Parts(1, (), (), None), {})


def test_images_that_do_not_fit_are_refused():
    frozen, _, (channels, height, width) = build("vgg")
    with pytest.raises(ValueError, match="too small"):
        frozen.run_directly(pictures(1, (channels, height, 2)))
    with pytest.raises(ValueError, match="too small"):
        frozen.run_directly(pictures(1, (channels, 3, width)))
    with pytest.raises(ValueError, match="features"):
        frozen.run_directly(pictures(1, (channels, height * 2, width)))


@on_jittor
def test_images_of_other_channels_are_refused():
    frozen, _, (_, height, width) = build("vgg")
    with pytest.raises(ValueError, match="channels"):
        frozen.run(pictures(1, (3, height, width)))
