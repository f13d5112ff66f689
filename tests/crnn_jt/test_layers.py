"""Layers and plans: shapes, arrays and costs are known before anything is computed, and must be what is computed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import pytest
import yaml

from crnn_jt import freeze, layers, modules, quantised, stack  # noqa: F401  (quantised registers itself)
from crnn_jt.compression import channels
from crnn_jt.freeze import NotCovered
from crnn_jt.layers import (
    Add,
    AvgPool,
    BatchNorm,
    BiLSTM,
    Block,
    Concat,
    Conv,
    ConvTranspose,
    CrossAttention,
    Gate,
    GlobalMaxContext,
    Keep,
    Layer,
    Linear,
    MaxPool,
    Positions,
    Residual,
    SelfAttention,
    Shape,
    Upsample,
    follow,
    from_values,
    out_channels,
    out_shape,
    to_values,
    walk,
)
from crnn_jt.registry import EXTRACTORS, REFINERS
from data_tools.errors import UserError
from tests.crnn_jt.layer_examples import PIECES, PLANS, every_layer, example, has_matrices
from tests.oracle import plan as oracle

RESIDUAL = Residual((BatchNorm(4), Conv(4, 6, bias=False)), (Conv(4, 6, (1, 1), padding=(0, 0)),))


@pytest.mark.parametrize(
    ("plan", "size", "expected"),
    [
        ((Conv(1, 4),), (32, 100), (32, 100)),
        ((Conv(1, 4, (5, 5), (2, 2), (2, 2)),), (32, 101), (16, 51)),
        ((MaxPool(),), (33, 100), (16, 50)),
        ((MaxPool((2, 2), (2, 1), (0, 1)),), (8, 25), (4, 26)),
        ((Conv(1, 4, padding=(2, 2), dilation=(2, 2)),), (32, 100), (32, 100)),
        ((Conv(1, 4, (3, 2), (2, 1), (2, 1), dilation=(2, 3)),), (9, 10), (5, 9)),
        ((AvgPool((3, 3), (2, 1), (1, 1)),), (33, 100), (17, 100)),
        ((AvgPool((4, 2)),), (33, 101), (8, 50)),
        ((RESIDUAL, MaxPool()), (8, 8), (4, 4)),
        ((ConvTranspose(1, 4, (3, 3), (2, 2), (1, 1)),), (8, 9), (15, 17)),
        ((Upsample((2, 3)),), (8, 9), (16, 27)),
    ],
)
def test_shapes(plan, size, expected):
    """Height and width after a plan; widths may come as an array."""
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
    assert sum(type(layer) is Conv and layer.kernel != (1, 1) for _, layer in walk(plan)) == count


def test_keys_and_channels():
    """Keys are places in the plan: a weights file depends on them."""
    plan = (Conv(1, 4), RESIDUAL, Linear(6, 5), BiLSTM(5, 3), GlobalMaxContext(6))
    assert [key for key, _ in walk(plan)] == ["0", "1.body.0", "1.body.1", "1.shortcut.0", "2", "3", "4"]
    assert [out_channels(plan[:n], 1) for n in range(6)] == [1, 4, 6, 5, 6, 12]
    gated = (Gate((Conv(4, 4), Residual((Conv(4, 4),)))),)
    assert [key for key, _ in walk(gated, "stack.")] == ["stack.0.body.0", "stack.0.body.1.body.0"]


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ((Conv(4, 6), Conv(4, 6)), "layer 1, Conv: takes 4 channels, there are 6"),
        ((Conv(4, 6), BatchNorm(4)), "layer 1, BatchNorm: takes 4 channels, there are 6"),
        ((Residual((Conv(4, 6),)),), "body and shortcut differ: channels 6 and 4"),
        ((Residual((MaxPool(),)),), "body and shortcut differ: height 5 and 10"),
        ((Gate((Conv(4, 6),)),), "x and its gate differ: channels 4 and 6"),
        ((Gate((MaxPool(),)),), "x and its gate differ: height"),
        ((Keep("a"), MaxPool(), Add("a")), "x and 'a' differ: height 5 and 10"),
        ((Keep("a"), Conv(4, 6), Add("a")), "x and 'a' differ: channels 6 and 4"),
        ((Keep("a"), MaxPool(), Concat(("a",))), "x and 'a' differ: height"),
        ((Keep("a"), Add("b")), "nothing is kept under 'b'; there are: a"),
        ((Block((Conv(4, 4), Keep("a"))), Add("a")), "nothing is kept under 'a'; there are: none"),
        ((Residual((Keep("a"),)), Add("a")), "nothing is kept under 'a'; there are: none"),
        ((Keep("memory"), CrossAttention(4, 2, memory_features=5)), "takes 5 features of the memory, there are 4"),
        ((Positions(4, 10),), "holds 10 steps, the sequence has 11"),
    ],
)
def test_plans_that_do_not_fit_are_refused(plan, message):
    """Where they are written down, not in the framework's words at the first batch."""
    with pytest.raises(ValueError, match=message):
        follow(plan, Shape(4, 10, 11))


def test_widths_that_do_not_meet_again_are_refused():
    """Half of 11 columns, doubled, are 10: a sum with the 11 would depend on the padding."""
    plan = (Keep("fine"), MaxPool(), Upsample(), Add("fine"))
    assert follow(plan, Shape(4, 10, np.array([12, 10]))).width.tolist() == [12, 10]
    with pytest.raises(ValueError, match="width"):
        follow(plan, Shape(4, 10, np.array([12, 11])))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv(4, 6, groups=3), "groups 3"),
        (lambda: Conv(4, 6, (0, 3)), r"kernel \(0, 3\): it takes 1 or more"),
        (lambda: Conv(4, 6, dilation=(1, 0)), r"dilation \(1, 0\): it takes 1 or more"),
        (lambda: Conv(4, 6, padding=(5, 5), dilation=(2, 3)), r"padding .* than the kernel spans, \(5, 7\)"),
        (lambda: layers.AvgPool((3, 3), padding=(3, 0)), r"padding \(3, 0\): it takes less than the kernel, \(3, 3\)"),
        (lambda: layers.Activation("tangent"), "kind 'tangent'"),
        (lambda: layers.Dropout(1.0), "rate 1.0"),
        (lambda: SelfAttention(8, 3), "heads 3"),
    ],
)
def test_values_that_no_layer_can_have_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def own_layers() -> set[type[Layer]]:
    return {kind for kind in layers.known().values() if kind.__module__.startswith("crnn_jt.")}


def test_every_layer_has_an_example():
    """So that the tests below ask all of them."""
    assert {type(layer) for layer in every_layer()} == own_layers()


DISPATCHERS = {
    "module": (modules.module_of, ()),
    "chain": (stack.call, (None, None, None, {})),
    "kernels, images": (freeze.emit, (None,) * 5),
    "kernels, sequences": (freeze.emit_steps, (None,) * 3),
    "pruning": (channels.trace, (None,) * 4),
    "oracle": (oracle.value_of, (None,) * 4),
}


@pytest.mark.parametrize("dispatcher", DISPATCHERS)
@pytest.mark.parametrize("layer", every_layer(), ids=lambda layer: type(layer).__name__)
def test_a_layer_is_known_or_refused_by_name(layer, dispatcher):
    """Whoever adds a layer hears where it is missing, and no layer is left out in silence."""
    ask, rest = DISPATCHERS[dispatcher]
    if ask.dispatch(type(layer)) is ask.dispatch(object):
        with pytest.raises((UserError, NotCovered, NotImplementedError), match=type(layer).__name__):
            ask(layer, *rest)
    elif dispatcher == "chain":
        assert layer not in PIECES


def test_a_layer_that_nobody_knows_cannot_be_built():
    @dataclass(frozen=True)
    class Strange(Layer):
        pass

    with pytest.raises(UserError, match="Strange"):
        stack.Stack((Strange(),))


def test_a_layer_derived_from_another_is_refused():
    """A quantised convolution derived from Conv would be trained by units, frozen and exported as a plain one."""
    with pytest.raises(TypeError, match="derive it from Layer, not from Conv"):
        type("Quantised", (Conv,), {})


@pytest.mark.parametrize("name", PLANS)
def test_costs_are_those_of_products_with_weights(name):
    given = example(name)
    cost = layers.cost(given.plan, *given.shape)
    assert (cost > 0) == has_matrices(given.plan)


@pytest.mark.parametrize(
    ("layer", "size", "expected"),
    [
        (Conv(4, 6, (3, 5), (2, 1), (1, 2)), (6, 8), 3 * 8 * 6 * 4 * 15),
        (Conv(4, 4, groups=4), (6, 8), 6 * 8 * 4 * 9),
        (Conv(4, 6, padding=(2, 1), dilation=(2, 2)), (6, 8), 6 * 6 * 6 * 4 * 9),
        (Block((RESIDUAL, Conv(6, 2))), (6, 8), 48 * (4 * 6 * 9 + 4 * 6 + 6 * 2 * 9)),
        (ConvTranspose(4, 3), (6, 8), 6 * 8 * 4 * 3 * 4),
        (Linear(8, 5), (1, 7), 7 * 8 * 5),
        (BiLSTM(8, 3), (1, 7), 7 * 2 * 4 * 3 * (8 + 3)),
        (SelfAttention(8, 2), (1, 7), 4 * 7 * 64 + 2 * 49 * 8),
        (RESIDUAL, (6, 8), 48 * (4 * 6 * 9 + 4 * 6)),
    ],
)
def test_costs_by_hand(layer, size, expected):
    """A search weighs networks by them: multiply-adds for one image, by its size before the layer."""
    assert layer.cost(*size) == layers.cost((layer,), None, *size) == expected


def test_cost_follows_the_sizes():
    assert layers.cost((Conv(4, 4), MaxPool(), Conv(4, 4)), 4, 8, 8) == 64 * 144 + 16 * 144


@pytest.mark.parametrize("name", PLANS)
def test_plans_survive_yaml_and_json(name):
    """A searched or pruned network is a weights file like any other: its plan stands in the spec."""
    plan = PLANS[name]
    for values in (yaml.safe_load(yaml.safe_dump(to_values(plan))), json.loads(json.dumps(to_values(plan)))):
        assert from_values(values) == plan


CONV = {"layer": "Conv", "in_channels": 1, "out_channels": 4}


def test_plans_of_older_files_are_written_and_read_as_they_were():
    """What a layer has learnt since stands in no file that does not use it."""
    older = [CONV | {"kernel": [5, 5], "padding": [2, 2], "groups": 1}, {"layer": "AvgPool", "kernel": [4, 2]}]
    plan = Conv(1, 4, (5, 5), padding=(2, 2)), AvgPool((4, 2))
    assert from_values(older) == plan and plan[1].size(9, 9) == (2, 4)
    assert to_values(plan) == [{name: value for name, value in layer.items() if name != "groups"} for layer in older]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"layer": "Conv"}, "^plan: is no list"),
        (["Conv"], r"^plan\.0: 'Conv' is no mapping"),
        ([CONV, {"layer": "Convolution"}], r"^plan\.1: there is no layer 'Convolution'; there are: Activation"),
        ([CONV | {"kernal": [3, 3]}], r"^plan\.0\.kernal: Conv has no such field; it has: in_channels"),
        ([{"layer": "Conv", "in_channels": 1}], r"^plan\.0: Conv needs out_channels$"),
        ([CONV | {"bias": 1}], r"^plan\.0\.bias: 1 is not of type bool"),
        ([CONV | {"kernel": [3, 3, 3]}], r"^plan\.0\.kernel: \[3, 3, 3\] is not of type"),
        ([CONV | {"out_channels": 1 << 20}], r"^plan\.0\.out_channels: 1048576; it takes 0 to"),
        ([CONV | {"stride": [0, 1]}], r"^plan\.0: Conv: stride"),
        (
            [{"layer": "Residual", "body": [CONV, {"layer": "Gate", "body": [3]}]}],
            r"^plan\.0\.body\.1\.body\.0: 3 is no",
        ),
    ],
)
def test_plans_are_read_strictly(values, message):
    """A weights file may come from a stranger."""
    with pytest.raises(UserError, match=message):
        from_values(values)


def test_plans_within_plans_have_an_end():
    values = [CONV]
    for _ in range(40):
        values = [{"layer": "Gate", "body": values}]
    with pytest.raises(UserError, match="deep"):
        from_values(values)


GOLDEN = {
    ("light", "bilstm"): "f9430cf0940ac51d",
    ("resnet15", "identity"): "9783d49e965a80ab",
}


@pytest.mark.parametrize("parts", GOLDEN, ids="+".join)
def test_a_seed_gives_the_weights_that_it_always_gave(parts):
    """Trainings are repeatable by their seed, from version to version."""
    extractor = EXTRACTORS.build(parts[0], EXTRACTORS.get(parts[0]).tiny, in_channels=1, height=32)
    refiner = REFINERS.build(parts[1], REFINERS.get(parts[1]).tiny, in_features=extractor.out_channels)
    named = {f"extractor.{key}": layer for key, layer in extractor.named_layers().items()}
    named |= {f"refiner.{key}": layer for key, layer in refiner.named_layers().items()}
    state = layers.fresh_state(named | {"generator.head": Linear(refiner.out_features, 9)}, np.random.default_rng(0))
    digest = hashlib.sha256(b"".join(key.encode() + value.tobytes() for key, value in sorted(state.items())))
    assert digest.hexdigest()[:16] == GOLDEN[parts]


def test_initial_values():
    """Names must not decide: a table of positions stays one, transposed convolutions count what a value sums over."""
    rng = np.random.default_rng(0)
    table = Positions(6, 4).fresh("table", rng)
    slow = 3 / 10000 ** (1 / 3)
    np.testing.assert_allclose(table[3, :4], [np.sin(3), np.cos(3), np.sin(slow), np.cos(slow)], rtol=1e-6)
    weight = ConvTranspose(64, 32, (4, 4), (2, 2)).fresh("weight", rng)
    assert weight.std() == pytest.approx(np.sqrt(2 / (64 * 4)), rel=0.02)
    depthwise = Conv(512, 512, groups=512).fresh("weight", rng)
    assert depthwise.std() == pytest.approx(np.sqrt(2 / 9), rel=0.05)
    cell = layers.GRUCell(5, 4)
    assert cell.arrays()["weight_ih"] == (12, 5) and abs(cell.fresh("weight_ih", rng)).max() <= 0.5
    assert not cell.fresh("bias_ih", rng).any()
    assert layers.LSTMCell(5, 4).fresh("bias_ih", rng).tolist() == [0] * 4 + [1] * 4 + [0] * 8
