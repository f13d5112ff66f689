"""PaddleOCR's recognisers: the imported model computes what its public code computes."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from crnn_jt.foreign import import_weights, read_dictionary, read_foreign
from crnn_jt.layers import Activation, BatchNorm, BiLSTM, Conv, MaxPool
from crnn_jt.models import construct
from data_tools.cli import Command, main
from data_tools.errors import UserError
from tests.oracle.plan import evaluate, random_state

SYMBOLS = "abc"
HIDDEN = 6
STATISTICS = {"running_mean": "_mean", "running_var": "_variance"}
# rec_mobilenet_v3.py, small, scale 0.5, small_stride [1, 2, 2, 2]: kernel, expanded, channels, gate, activation,
# stride. A stride that is a pair, even of ones, means no shortcut.
BLOCKS = (
    (3, 8, 8, True, "relu", (1, 1)),
    (3, 40, 16, False, "relu", (2, 1)),
    (3, 48, 16, False, "relu", 1),
    (5, 48, 24, True, "hardswish", (2, 1)),
    (5, 120, 24, True, "hardswish", 1),
    (5, 120, 24, True, "hardswish", 1),
    (5, 64, 24, True, "hardswish", 1),
    (5, 72, 24, True, "hardswish", 1),
    (5, 144, 48, True, "hardswish", (2, 1)),
    (5, 288, 48, True, "hardswish", 1),
    (5, 288, 48, True, "hardswish", 1),
)


class Published:
    """The public code restated: `state` gets an array the first time that one is asked for."""

    def __init__(self, classes: int = len(SYMBOLS) + 1):
        self.rng, self.state, self.classes = np.random.default_rng(1), {}, classes
        self.logits(np.zeros((1, 3, 32, 32)))

    def layer(self, x: np.ndarray, layer, name: str, rename=lambda last: last) -> np.ndarray:
        fresh = random_state((layer,), self.rng)
        names = {key: f"{name}.{rename(key[2:])}" for key in fresh}
        for key, own in names.items():
            self.state.setdefault(own, np.float32(fresh[key]))
        return evaluate((layer,), {key: self.state[own] for key, own in names.items()}, x)

    def unit(self, x, name, channels, kernel=1, stride=1, groups=1, act=""):
        """ConvBNLayer."""
        stride = (stride, stride) if isinstance(stride, int) else stride
        half = (kernel - 1) // 2
        conv = Conv(x.shape[1], channels, (kernel, kernel), stride, (half, half), bias=False, groups=groups)
        x = self.layer(x, conv, f"backbone.{name}.conv")
        x = self.layer(x, BatchNorm(channels), f"backbone.{name}.bn", lambda last: STATISTICS.get(last, last))
        return evaluate((Activation(act),), {}, x) if act else x

    def gate(self, x, name):
        """SEModule, F.hardsigmoid(slope=0.2, offset=0.5)."""
        channels, point = x.shape[1], {"kernel": (1, 1), "padding": (0, 0)}
        mean = x.mean((2, 3), keepdims=True)
        inner = self.layer(mean, Conv(channels, channels // 4, **point), f"backbone.{name}.conv1")
        outer = self.layer(np.maximum(inner, 0), Conv(channels // 4, channels, **point), f"backbone.{name}.conv2")
        return x * np.clip(0.2 * outer + 0.5, 0, 1)

    def backbone(self, x):
        x = self.unit(x, "conv1", 8, 3, 2, act="hardswish")
        for number, (kernel, expanded, channels, gate, act, stride) in enumerate(BLOCKS):
            name = f"blocks.{number}"
            y = self.unit(x, f"{name}.expand_conv", expanded, act=act)
            y = self.unit(y, f"{name}.bottleneck_conv", expanded, kernel, stride, expanded, act)
            y = self.gate(y, f"{name}.mid_se") if gate else y
            y = self.unit(y, f"{name}.linear_conv", channels)
            x = x + y if stride == 1 and x.shape[1] == channels else y
        return evaluate((MaxPool(),), {}, self.unit(x, "conv2", 288, act="hardswish"))

    def logits(self, bgr: np.ndarray) -> np.ndarray:
        """(T, N, classes) of pictures (N, 3, 32, W)."""
        x = self.backbone(bgr)[:, :, 0].transpose(2, 0, 1)
        for number in range(2):
            x = self.layer(x, BiLSTM(x.shape[2], HIDDEN), "neck.encoder.lstm", lambda last, n=number: nest(last, n))
        shape = (2 * HIDDEN, self.classes)
        weight = self.state.setdefault("head.fc.weight", np.float32(self.rng.standard_normal(shape)))
        return x @ weight + self.state.setdefault("head.fc.bias", np.float32(self.rng.standard_normal(self.classes)))


def nest(last: str, number: int) -> str:
    """Paddle's name of an LSTM's array: the cell of a direction within the layer."""
    cell = "cell_bw" if last.endswith("_reverse") else "cell_fw"
    return f"{number}.{cell}.{last.removesuffix('_reverse').removesuffix('_l0')}"


@pytest.fixture(scope="module")
def published():
    return Published()


@pytest.fixture
def npz(tmp_path):
    def write(state: dict[str, np.ndarray]):
        np.savez(tmp_path / "rec.npz", **state)
        return tmp_path / "rec.npz"

    return write


def test_the_imported_model_computes_what_the_public_code_computes(published, npz):
    imported = import_weights(npz(published.state), SYMBOLS, "rec")
    model = construct(imported.spec)
    assert (imported.spec.name, imported.spec.image.widest) == ("rec", 320)
    rgb = np.random.default_rng(2).uniform(-1, 1, (2, 3, 32, 48))
    features = evaluate(model.extractor.layers(), imported.arrays, rgb, "extractor.stack.")
    assert features.shape == (2, 288, 1, 12)
    refined = evaluate(model.refiner.layers(), imported.arrays, features[:, :, 0].transpose(2, 0, 1), "refiner.stack.")
    head = imported.arrays["generator.head.weight"], imported.arrays["generator.head.bias"]
    expected = published.logits(rgb[:, ::-1])
    assert np.abs(refined @ head[0].T + head[1] - expected).max() < 1e-5 * np.abs(expected).max()


class Tensor:
    """Pickled as paddle.save pickles a tensor."""

    def __init__(self, name: str, values: np.ndarray):
        self.name, self.values = name, values

    def __reduce__(self):
        return tuple, ((self.name, self.values),)


@pytest.mark.parametrize("protocol", [2, 4])
def test_what_paddle_saves_is_read(protocol, tmp_path):
    """A state as plain arrays with a table of names, or as pairs of name and array."""
    arrays = {"head.fc.bias": np.float32([1, 2]), "head.fc.weight": np.ones((2, 2), np.float32)}
    table = {"StructuredToParameterName@@": {key: f"linear_{key}" for key in arrays}}
    for number, state in enumerate((arrays | table, {key: Tensor(key, value) for key, value in arrays.items()})):
        path = tmp_path / f"{number}.pdparams"
        path.write_bytes(pickle.dumps(state, protocol))
        found = read_foreign(path)
        assert found.keys() == arrays.keys() and all((found[key] == arrays[key]).all() for key in arrays)


def test_a_tuple_of_anything_else_is_refused(tmp_path):
    """`tuple` is a name that a pickle may call; what it would unroll is not left to the pickle."""
    hostile = b"\x80\x02}X\x01\x00\x00\x00ac__builtin__\ntuple\nX\x04\x00\x00\x00text\x85Rs."
    assert pickle.loads(hostile) == {"a": tuple("text")}
    (tmp_path / "a.pdparams").write_bytes(hostile)
    with pytest.raises(UserError, match="it makes a tuple of something else"):
        read_foreign(tmp_path / "a.pdparams")


def test_the_other_names_of_the_lstms_arrays_are_the_same_arrays(published, npz):
    """Paddle's state has each of them twice; other tools keep the flat names alone."""
    flat = {}
    for key, value in published.state.items():
        if ".cell_" in key:
            number, cell, part = key.split(".")[3:]
            flat[f"neck.encoder.lstm.{part}_l{number}{'_reverse' if cell == 'cell_bw' else ''}"] = value
    nested = import_weights(npz(published.state), SYMBOLS).arrays
    rest = {key: value for key, value in published.state.items() if ".cell_" not in key}
    for state in (published.state | flat, rest | flat):
        found = import_weights(npz(state), SYMBOLS).arrays
        assert found.keys() == nested.keys() and all((found[key] == nested[key]).all() for key in found)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop("backbone.blocks.3.mid_se.conv1.bias"), r"missing backbone\.blocks\.3\.mid_se\.conv1\.bias"),
        (lambda s: s.update({"head.fc.weight": s["head.fc.weight"][:5]}), r"head\.fc\.weight is \[5, 4\].*\[12, 4\]"),
        (lambda s: s.update({"neck.more": np.zeros(1, np.float32)}), r"extra neck\.more"),
        (lambda s: s.update({"backbone.conv2.conv.weight": np.zeros((9, 48, 1, 1))}), "has 9 channels"),
        (lambda s: s.pop("head.fc.weight"), r"no head\.fc\.weight of 2 axes"),
    ],
)
def test_what_does_not_fit_is_named_as_the_file_names_it(published, npz, change, said):
    state = dict(published.state)
    change(state)
    with pytest.raises(UserError, match=said):
        import_weights(npz(state), SYMBOLS)


def test_a_dictionary_names_the_classes_and_a_space_may_follow(published, npz, tmp_path, capsys):
    (tmp_path / "dict.txt").write_text("a\nb\n", "utf-8")
    command = {"import-weights": Command("crnn_jt.commands.import_weights", "")}
    words = ["import-weights", str(npz(published.state)), "--dictionary", str(tmp_path / "dict.txt"), "--out"]
    assert main("crnn_jt", "", command, [*words, str(tmp_path / "rec.safetensors")]) == 0
    assert "mobilenet_v3 + bilstm + ctc" in capsys.readouterr().out
    assert import_weights(npz(published.state), read_dictionary(tmp_path / "dict.txt")).spec.labels.characters == "ab "
    with pytest.raises(UserError, match="4 classes"):
        import_weights(npz(published.state), "a")
    (tmp_path / "dict.txt").write_text("a\nword\n", "utf-8")
    with pytest.raises(UserError, match="one character a line"):
        read_dictionary(tmp_path / "dict.txt")
