"""ASTER's and AutoSTR's published weights: the imported model computes what their public code computes."""

from __future__ import annotations

import numpy as np
import pytest

from crnn_jt.backend import load_state, no_grad, ops
from crnn_jt.foreign import import_weights
from crnn_jt.layers import MaxPool
from crnn_jt.models import construct
from data_tools.errors import UserError
from tests.crnn_jt.published import Restated, relu, sigmoid, softmax
from tests.oracle.plan import evaluate

SYMBOLS, POINTS, MARGIN = "abcd", 6, 0.05
STATE, ATTENTION, LSTM = 10, 12, 8
OPERATIONS = ["k5e6", "skip", "k3e1", *["k3e3", "skip", "skip"] * 3, "k5e1", "k5e3", "skip"]


class Published(Restated):
    """Its modules restated, with the backbone of ASTER or of AutoSTR on ABABB, all of a sixteenth of the channels."""

    classes = len(SYMBOLS) + 3

    def __init__(self, backbone: str):
        super().__init__()
        self.backbone = backbone

    def points(self, small):
        """STNHead: points (N, POINTS, 2) in 0-1 of pictures (N, 3, 32, 64)."""
        x = small
        for number, channels in enumerate((4, 8, 16, 32, 32, 32)):
            x = evaluate((MaxPool(),), {}, x) if number else x
            name = f"stn_head.stn_convnet.{2 * number}"
            x = relu(self.norm(self.conv(x, f"{name}.0", channels, 3, 1, 1, bias=True), f"{name}.1"))
        x = self.linear(x.reshape(len(x), -1), "stn_head.stn_fc1.0", 16)
        x = relu(self.norm(x[:, :, None, None], "stn_head.stn_fc1.1")[:, :, 0, 0])
        if "stn_head.stn_fc2.bias" not in self.state:  # near where they lie, else nothing of the word is seen
            self.state["stn_head.stn_fc2.bias"] = np.float32(
                self.lying() + 0.02 * self.rng.standard_normal((POINTS, 2))
            ).ravel()
            self.array("stn_head.stn_fc2.weight", 2 * POINTS, 16, scale=0.2)
        return self.linear(0.1 * x, "stn_head.stn_fc2", 2 * POINTS).reshape(-1, POINTS, 2)

    @staticmethod
    def lying():
        across = np.linspace(MARGIN, 1 - MARGIN, POINTS // 2)
        return np.concatenate([np.stack([across, np.full(POINTS // 2, y)], 1) for y in (MARGIN, 1 - MARGIN)])

    def rectify(self, pictures):
        """TPSSpatialTransformer: (N, 3, 32, 100)."""
        points = self.points(sample(pictures, grid_of(32, 64)[None].repeat(len(pictures), 0), (32, 64)))
        lying, count = self.lying(), POINTS
        kernel = np.zeros((count + 3, count + 3))
        kernel[:count, :count] = bend(lying, lying)
        kernel[:count, -3], kernel[-3, :count] = 1, 1
        kernel[:count, -2:], kernel[-2:, :count] = lying, lying.T
        places = grid_of(32, 100)
        terms = np.concatenate([bend(places, lying), np.ones((len(places), 1)), places], 1)
        matrices = {"inverse_kernel": np.linalg.inv(kernel), "target_coordinate_repr": terms}
        matrices |= {"padding_matrix": np.zeros((3, 2)), "target_control_points": lying}
        self.state |= {f"tps.{key}": np.float32(value) for key, value in matrices.items()}
        padded = np.concatenate([points, np.zeros((len(points), 3, 2))], 1)
        return sample(pictures, (terms @ matrices["inverse_kernel"] @ padded).clip(0, 1), (32, 100))

    def aster(self, x):
        x = relu(self.norm(self.conv(x, "encoder.layer0.0", 2, 3, 1, 1), "encoder.layer0.1"))
        strides = ((2, 2), (2, 2), (2, 1), (2, 1), (2, 1))
        for stage, (channels, count, stride) in enumerate(zip((2, 4, 8, 16, 32), (3, 4, 6, 6, 3), strides), 1):
            for unit in range(count):
                own, name = (stride if unit == 0 else (1, 1)), f"encoder.layer{stage}.{unit}"
                x = self.block(x, name, channels, (own, (1, 1)), unit == 0)
        return x

    def autostr(self, x):
        x, before = relu(self.norm(self.conv(x, "encoder.first_conv.0", 2, 3, 1, 1), "encoder.first_conv.1")), 2
        strides = ((2, 2), (2, 1), (2, 2), (2, 1), (2, 1))
        for number, operation in enumerate(OPERATIONS):
            if operation == "skip":
                continue
            channels, stride = (2, 4, 8, 16, 32)[number // 3], (1, 1) if number % 3 else strides[number // 3]
            kernel, wide, y = int(operation[1]), before * int(operation[3]), x
            name = f"encoder.blocks.{number}.mobile_inverted_conv"
            if wide != before:
                y = self.unit(y, f"{name}.inverted_bottleneck", wide)
            y = self.unit(y, f"{name}.depth_conv", wide, kernel, stride, kernel // 2, wide)
            y = self.norm(self.conv(y, f"{name}.point_conv.conv", channels), f"{name}.point_conv.bn")
            x, before = (x + y if stride == (1, 1) and channels == before else y), channels
        return x

    def unit(self, x, name, *conv):
        return self.norm(self.conv(x, f"{name}.conv", *conv), f"{name}.bn").clip(0, 6)

    def lstm(self, x):
        """nn.LSTM of two layers, both directions: (T, N, C) -> (T, N, 2 LSTM)."""
        for layer in range(2):
            ways = []
            for end, turn in (("", 1), ("_reverse", -1)):
                name, h, c, found = f"encoder.rnn.{{}}_l{layer}{end}", 0.0, 0.0, []
                for step in x[::turn]:
                    gates = step @ self.array(name.format("weight_ih"), 4 * LSTM, x.shape[2]).T
                    gates = gates + self.array(name.format("bias_ih"), 4 * LSTM, scale=0.3)
                    before = np.broadcast_to(h, (len(step), LSTM))
                    gates = gates + before @ self.array(name.format("weight_hh"), 4 * LSTM, LSTM).T
                    i, f, g, o = np.split(gates + self.array(name.format("bias_hh"), 4 * LSTM, scale=0.3), 4, -1)
                    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
                    h = sigmoid(o) * np.tanh(c)
                    found.append(h)
                ways.append(np.stack(found)[::turn])
            x = np.concatenate(ways, -1)
        return x

    def decode(self, x, targets):
        """DecoderUnit, fed the true symbols: (S + 1, N, classes) of x (T, N, C)."""
        name, h = "decoder.decoder", np.zeros((x.shape[1], STATE))
        table = self.array(f"{name}.tgt_embedding.weight", self.classes + 1, ATTENTION)
        before = np.concatenate([np.full((len(targets), 1), self.classes), targets - 1], 1)  # the start; a is class 0
        outputs = []
        for symbols in before.T:
            scores = self.linear(x, f"{name}.attention_unit.xEmbed", ATTENTION)
            scores = np.tanh(scores + self.linear(h, f"{name}.attention_unit.sEmbed", ATTENTION))
            shares = softmax(self.linear(scores, f"{name}.attention_unit.wEmbed", 1), 0)
            given = np.concatenate([table[symbols], (shares * x).sum(0)], 1)
            ways = ((given, "ih"), (h, "hh"))
            inputs, states = (
                np.split(
                    value @ self.array(f"{name}.gru.weight_{end}_l0", 3 * STATE, value.shape[1]).T
                    + self.array(f"{name}.gru.bias_{end}_l0", 3 * STATE, scale=0.3),
                    3,
                    1,
                )
                for value, end in ways
            )
            r, z = (sigmoid(a + b) for a, b in list(zip(inputs, states))[:2])
            h = (1 - z) * np.tanh(inputs[2] + r * states[2]) + z * h
            outputs.append(self.linear(h, f"{name}.fc", self.classes))
        return np.stack(outputs)

    def logits(self, pictures, targets):
        maps = getattr(self, self.backbone)(self.rectify(pictures))
        return self.decode(self.lstm(maps[:, :, 0].transpose(2, 0, 1)), targets)


def grid_of(height: int, width: int) -> np.ndarray:
    """(H·W, 2) of (across, down) in 0-1."""
    y, x = np.meshgrid(np.arange(height) / (height - 1), np.arange(width) / (width - 1), indexing="ij")
    return np.stack([x.ravel(), y.ravel()], 1)


def bend(places, points):
    """compute_partial_repr."""
    squares = ((places[:, None] - points[None]) ** 2).sum(2)
    return 0.5 * squares * np.log(np.where(squares > 0, squares, 1))


def sample(pictures, places, size):
    """F.grid_sample with aligned corners, at places (N, M, 2) in 0-1: (N, C, H, W)."""
    height, width = pictures.shape[2:]
    x, y = places[..., 0] * (width - 1), places[..., 1] * (height - 1)
    left, top = np.floor(x).astype(int).clip(0, width - 2), np.floor(y).astype(int).clip(0, height - 2)
    across, down = x - left, y - top
    found = []
    for picture, u, v, a, b in zip(pictures, left, top, across, down):
        upper = picture[:, v, u] * (1 - a) + picture[:, v, u + 1] * a
        lower = picture[:, v + 1, u] * (1 - a) + picture[:, v + 1, u + 1] * a
        found.append((upper * (1 - b) + lower * b).reshape(-1, *size))
    return np.stack(found)


PICTURES = np.random.default_rng(3).uniform(-1, 1, (2, 3, 8, 32)).repeat(8, 2).repeat(8, 3)
TARGETS = np.array([[1, 4, 2], [3, 3, 1]])


@pytest.fixture(scope="module", params=["aster", "autostr"])
def published(request):
    """A backbone's name, its state, and what the restated code makes of the pictures."""
    made = Published(request.param)
    logits = made.logits(PICTURES, TARGETS)
    return request.param, made.state, logits


@pytest.fixture
def npz(tmp_path):
    def write(state: dict[str, np.ndarray]):
        np.savez(tmp_path / "aster.npz", **{f"module.{key}": value for key, value in state.items()})
        return tmp_path / "aster.npz"

    return write


def test_the_imported_model_computes_what_the_public_code_computes(published, npz):
    """Rectified, encoded and decoded; the end is class 0, padding and unknown characters are no classes."""
    backbone, state, expected = published
    imported = import_weights(npz(state), SYMBOLS, "aster")
    assert imported.spec.extractor.name == backbone
    if backbone == "autostr":
        assert imported.spec.extractor.options["operations"] == OPERATIONS
    model = construct(imported.spec)
    load_state(model, imported.arrays)
    model.eval()
    with no_grad():
        seq, lengths = model.sequence(ops.array(PICTURES), np.full(2, 256))
        found = ops.numpy(model.generator.force(seq, lengths, TARGETS))
    end = len(SYMBOLS)
    theirs = expected[:, :, [end, *range(end)]]
    np.testing.assert_allclose(found, theirs, atol=5e-3 * np.abs(theirs).max())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop("decoder.decoder.fc.bias"), r"missing decoder\.decoder\.fc\.bias"),
        (lambda s: s.update({"more": np.zeros(1, np.float32)}), "extra more"),
        (lambda s: s.update({"decoder.decoder.fc.weight": np.ones((9, STATE))}), "7 classes|9 classes|names 4"),
        (lambda s: s.update({"tps.target_coordinate_repr": np.ones((64, 9), np.float32)}), "for 64 pixels"),
        (lambda s: s.update({"tps.target_control_points": np.zeros(12)}), "no tps.target_control_points of 2 axes"),
        (lambda s: s.update({"tps.target_control_points": s["tps.target_control_points"] * [1, 2]}), "margins of"),
        (lambda s: s.update({"encoder.blocks.0.mobile_inverted_conv.AP_path_alpha": np.ones(7)}), None),
    ],
)
def test_what_does_not_fit_is_named_as_the_file_names_it(published, npz, change, said):
    backbone, state, _ = published
    state = dict(state)
    change(state)
    if said is None:
        said = "still being searched" if backbone == "autostr" else "extra encoder"
    with pytest.raises(UserError, match=said):
        import_weights(npz(state), SYMBOLS)


def test_backbones_that_are_not_here_are_named(published, npz):
    renamed = {key: key.replace("layer0", "stem_conv").replace("first_conv", "stem_conv") for key in published[1]}
    state = {name: published[1][key] for key, name in renamed.items()}
    with pytest.raises(UserError, match=r"encoder\.blocks|encoder\.layer1"):
        import_weights(npz(state), SYMBOLS)


def test_a_backbones_missing_array_is_named(published, npz):
    backbone, state, _ = published
    missing = {"aster": "layer3.2.conv2.weight", "autostr": "blocks.0.mobile_inverted_conv.point_conv.conv.weight"}[
        backbone
    ]
    kept = {key: value for key, value in state.items() if key != f"encoder.{missing}"}
    with pytest.raises(UserError, match=f"missing encoder.{missing}"):
        import_weights(npz(kept), SYMBOLS)


def test_a_path_that_is_none_is_one_line(npz):
    made = Published("autostr")
    made.logits(PICTURES, TARGETS)
    with pytest.raises(UserError, match="path 'ABC'"):
        import_weights(npz(made.state), SYMBOLS, strides="ABC")
