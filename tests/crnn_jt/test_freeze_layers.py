"""Freezing, layer by layer: a plan that the kernels take gives what its layers define, others are refused by name."""

from __future__ import annotations

import numpy as np
import pytest

from crnn_jt.blocks import conv_unit, inverted_residual
from crnn_jt.freeze import Images, NotCovered, begin_network
from crnn_jt.layers import (
    Activation,
    Add,
    AvgPool,
    BatchNorm,
    Block,
    Concat,
    Conv,
    ConvTranspose,
    GlobalMean,
    Keep,
    MaxPool,
    Plan,
    Recall,
    Residual,
    Upsample,
)
from tests.crnn_jt.layer_examples import IMAGES
from tests.crnn_jt.test_freeze import assert_close
from tests.oracle.plan import evaluate, random_state

REFUSED = {
    "Conv, depthwise": "Conv with 4 groups of 4 to 8 channels",
    "ConvTranspose, overlapping": "ConvTranspose whose windows overlap",
    "Choice": "Choice among image layers",
}
"""Example plans that the kernels do not take, and what is said of them."""
PYRAMID = (
    *(Conv(4, 16), MaxPool(), Keep("fine"), Conv(16, 20), Activation("hardswish"), MaxPool(), Keep("coarse")),
    *(Conv(20, 6, (1, 1), padding=(0, 0)), Upsample(), Keep("above"), Recall("fine")),
    *(Conv(16, 6, (1, 1), padding=(0, 0), bias=False), BatchNorm(6), Add("above"), Activation("relu6"), Keep("sum")),
    *(Recall("coarse"), Conv(20, 5), Upsample(), Keep("part"), Recall("sum"), Conv(6, 17), Concat(("part", "sum"))),
    *(ConvTranspose(28, 16), BatchNorm(16), Activation("relu"), ConvTranspose(16, 1, (3, 2), (3, 2))),
    Activation("sigmoid"),
)
"""What a detector is made of."""


def depthwise(
    channels: int, kernel: tuple[int, int], stride: tuple[int, int] = (1, 1), kind: str = "hardswish"
) -> Plan:
    """With normalisation and activation, padded to keep its size but for the stride."""
    padding = (kernel[0] // 2, kernel[1] // 2)
    return conv_unit(channels, channels, kernel, stride, padding, activation=kind, groups=channels)


def conv(before: int, after: int) -> Conv:
    """Of single pixels."""
    return Conv(before, after, (1, 1), padding=(0, 0))


WIDE = conv_unit(4, 70, (1, 1), padding=(0, 0))
ODD = {
    "depthwise, 3x3": ((*WIDE, *depthwise(70, (3, 3)), conv(70, 3)), (5, 31)),
    "depthwise, 5x5 strided": ((*WIDE, *depthwise(70, (5, 5), (2, 1)), *depthwise(70, (3, 3), (2, 2))), (9, 23)),
    "depthwise, one pixel wide": ((*WIDE, *depthwise(70, (5, 5), kind="relu6")), (3, 1)),
    "depthwise, kernel wider than the picture": ((*WIDE, *depthwise(70, (3, 5), (1, 2))), (1, 2)),
    "depthwise, few channels, no padding": ((Conv(4, 4, (2, 3), (1, 2), (0, 0), groups=4), Activation("relu")), (3, 9)),
    "dilated": (
        (
            *WIDE,
            Conv(70, 20, (3, 5), (1, 1), (2, 4), dilation=(2, 2)),
            BatchNorm(20),
            Activation(),
            MaxPool((2, 1), (2, 1)),
        ),
        (6, 7),
    ),
    "dilated, pixel by pixel": ((Conv(4, 18, (2, 3), (2, 1), (0, 3), dilation=(4, 3)), conv(18, 3)), (5, 1)),
    "dilated depthwise": (
        (
            *WIDE,
            Conv(70, 70, (3, 3), (2, 1), (2, 2), False, 70, (2, 2)),
            BatchNorm(70),
            Activation("relu6"),
            conv(70, 3),
        ),
        (4, 11),
    ),
    "means of windows that overlap": (
        (*WIDE, AvgPool((3, 3), (2, 1), (1, 1)), AvgPool((3, 2), (2, 2), (2, 0))),
        (7, 9),
    ),
    "blocks that end in sums": (
        (
            *(Conv(4, 17), Keep("a"), Block((Activation(), Conv(17, 17), BatchNorm(17), Keep("b"))), Add("a")),
            *(Keep("b"), Block((conv(17, 17), Keep("a"), MaxPool((3, 3), (1, 1), (1, 1)), Add("b"))), Add("a")),
            *(Activation("relu6"), Block((Recall("b"), conv(17, 9), Concat(("a", "b"))))),
        ),
        (5, 6),
    ),
    "MobileNet's": (
        (
            *WIDE,
            *inverted_residual(70, 70, 80, (5, 5), activation="hardswish", gate=True),
            *depthwise(70, (3, 3), (2, 1)),
            GlobalMean(),
            conv(70, 9),
            Activation("gelu"),
            conv(9, 2),
        ),
        (8, 19),
    ),
    "a pyramid": (PYRAMID, (8, 12)),
    "a pyramid, one block": (PYRAMID, (4, 4)),
    "one pixel wide": ((Conv(4, 18), Activation("gelu"), ConvTranspose(18, 3, (1, 2), (1, 2)), Conv(3, 2)), (5, 1)),
    "one pixel": (
        (ConvTranspose(4, 40), Activation("hardsigmoid"), Upsample((1, 3)), Conv(40, 5, (1, 1), padding=(0, 0))),
        (1, 1),
    ),
    "a name kept again within": (
        (
            conv(4, 4),
            Keep("a"),
            Residual((Conv(4, 4), Keep("a"), Conv(4, 4), Add("a"))),
            Conv(4, 4),
            Add("a"),
            Add("a"),
        ),
        (3, 5),
    ),
    "the picture itself, joined": ((Keep("picture"), Conv(4, 3), Concat(("picture", "picture"))), (3, 7)),
}
"""Plans and the size of their pictures, of four channels."""


def freeze_maps(plan: Plan, state: dict[str, np.ndarray], library=None, channels: int = 4):
    """A network from images to the maps of a plan."""
    images = Images(begin_network(channels, library), state)
    images.emit_plan(plan, 0, "")
    images.network.end_maps("maps")
    return images.network


def pictures(count: int, height: int, width: int, channels: int = 4) -> np.ndarray:
    return np.random.default_rng(width).standard_normal((count, channels, height, width)).astype(np.float32)


def run_plan(plan: Plan, size: tuple[int, int], count: int) -> np.ndarray:
    """What the kernels make of so many pictures."""
    state = random_state(plan, np.random.default_rng(len(plan)))
    return freeze_maps(plan, state).run_directly(pictures(count, *size))


def check(plan: Plan, size: tuple[int, int], library=None) -> None:
    """The definition's numbers, and the same bits alone and in a batch."""
    state = random_state(plan, np.random.default_rng(len(plan)))
    network, images = freeze_maps(plan, state, library), pictures(5, *size)
    found = network.run_directly(images)
    assert_close(found, evaluate(plan, state, images))
    np.testing.assert_array_equal(network.run_directly(images[3:4])[0], found[3])


@pytest.mark.parametrize("name", [name for name in IMAGES if not name.startswith("Quantised")])
def test_every_plan_of_images_is_frozen_or_refused_by_name(name):
    """A depthwise convolution once came out in the right shape with the wrong numbers."""
    if name in REFUSED:
        state = random_state(IMAGES[name], np.random.default_rng(0))
        with pytest.raises(NotCovered, match=REFUSED[name]):
            freeze_maps(IMAGES[name], state)
        return
    check(IMAGES[name], (6, 8))


@pytest.mark.parametrize("name", ODD)
def test_plans_of_odd_shapes_give_what_their_layers_define(name):
    check(*ODD[name])


def test_kept_values_that_do_not_fit_are_refused():
    """A picture whose halves, doubled, are smaller than itself."""
    plan = (Keep("fine"), MaxPool(), Upsample(), Add("fine"))
    network = freeze_maps(plan, {})
    with pytest.raises(ValueError, match="two values that meet differ in shape"):
        network.run_directly(pictures(1, 6, 7))
    network = freeze_maps((*plan[:3], Concat(("fine",))), {})
    with pytest.raises(ValueError, match="differ in size"):
        network.run_directly(pictures(1, 6, 7))
