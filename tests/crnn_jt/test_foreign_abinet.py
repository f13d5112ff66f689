"""ABINet's published weights: the imported model computes what its public code computes."""

from __future__ import annotations

import numpy as np
import pytest

from crnn_jt.backend import load_state, no_grad, ops
from crnn_jt.foreign import import_weights
from crnn_jt.models import construct
from data_tools.errors import UserError
from tests.crnn_jt.published import Restated, relu, sigmoid, softmax

FEATURES, HIDDEN, HEADS, PLACES, ITERATIONS = 32, 24, 8, 6, 3
SYMBOLS = "abcdefgh"
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


class Published(Restated):
    """Its modules restated: vision, language, alignment; all of an eighth of the size and less."""

    classes = len(SYMBOLS) + 1

    def resnet(self, x):
        """`x` as ImageNet's pixels; beyond the edge is the grey that is 0 in this project's."""
        grey = (0.5 - MEAN) / DEVIATION
        shape = (*x.shape[:2], x.shape[2] + 2, x.shape[3] + 2)
        padded = np.broadcast_to(grey[:, None, None], shape).copy()
        padded[:, :, 1:-1, 1:-1] = x
        name = "vision.backbone.resnet"
        x, before = relu(self.norm(self.conv(padded, f"{name}.conv1", 2, 3), f"{name}.bn1")), 2
        stages = zip((2, 4, 8, 16, 32), (3, 4, 6, 6, 3), (2, 1, 2, 1, 1))
        for stage, (channels, count, stride) in enumerate(stages, 1):
            for unit in range(count):
                own, place = stride if unit == 0 else 1, f"{name}.layer{stage}.{unit}"
                project = own != 1 or before != channels
                x, before = self.block(x, place, channels, ((1, 1), (own, own)), project), channels
        return x

    def positions(self, name: str, steps: int) -> np.ndarray:
        """PositionalEncoding: (steps, 1, FEATURES)."""
        table = np.zeros((steps, FEATURES))
        angles = np.arange(steps)[:, None] * np.exp(np.arange(0, FEATURES, 2) * (-np.log(10000.0) / FEATURES))
        table[:, 0::2], table[:, 1::2] = np.sin(angles), np.cos(angles)
        self.state[f"{name}.pe"] = np.float32(table[:, None])
        return table[:, None]

    def attend(self, queries, memory, name: str, hidden=None):
        """nn.MultiheadAttention; `hidden` (N, T, S) is True where a query may not look."""
        weights = np.split(self.array(f"{name}.in_proj_weight", 3 * FEATURES, FEATURES), 3)
        biases = np.split(self.array(f"{name}.in_proj_bias", 3 * FEATURES, scale=0.3), 3)
        q, k, v = (x @ w.T + b for x, w, b in zip((queries, memory, memory), weights, biases))
        q, k, v = (x.reshape(*x.shape[:2], HEADS, -1).transpose(1, 2, 0, 3) for x in (q, k, v))  # (N, h, T, d)
        scores = q @ k.transpose(0, 1, 3, 2) * (FEATURES / HEADS) ** -0.5
        scores = scores if hidden is None else np.where(hidden[:, None], -np.inf, scores)
        seen = (softmax(scores) @ v).transpose(2, 0, 1, 3).reshape(queries.shape)
        return self.linear(seen, f"{name}.out_proj", FEATURES)

    def layer(self, x, memory, name: str, attention: str, norms, hidden=None):
        x = self.layer_norm(x + self.attend(x, memory, f"{name}.{attention}", hidden), f"{name}.{norms[0]}")
        inner = relu(self.linear(x, f"{name}.linear1", HIDDEN))
        return self.layer_norm(x + self.linear(inner, f"{name}.linear2", FEATURES), f"{name}.{norms[1]}")

    def vision(self, pixels):
        """(T', N, FEATURES) that the places see, and logits."""
        x = self.resnet(pixels)
        batch, _, rows, columns = x.shape
        x = x.reshape(batch, FEATURES, -1).transpose(2, 0, 1)
        x = x + self.positions("vision.backbone.pos_encoder", rows * columns)
        for number in range(2):
            name = f"vision.backbone.transformer.layers.{number}"
            x = self.layer(x, x, name, "self_attn", ("norm1", "norm2"))
        keys = values = x.transpose(1, 2, 0).reshape(batch, FEATURES, rows, columns)
        features, name = [], "vision.attention"
        for level in range(4):
            keys = self.conv(keys, f"{name}.k_encoder.{level}.0", 6, 3, (1 if level == 0 else 2, 2), 1, bias=True)
            features.append(keys := relu(self.norm(keys, f"{name}.k_encoder.{level}.1")))
        for level in range(4):
            keys = keys.repeat(1 if level == 3 else 2, 2).repeat(2, 3)
            keys = self.conv(keys, f"{name}.k_decoder.{level}.1", FEATURES if level == 3 else 6, 3, 1, 1, bias=True)
            keys = relu(self.norm(keys, f"{name}.k_decoder.{level}.2"))
            keys = keys + features[2 - level] if level < 3 else keys
        queries = self.linear(self.positions(f"{name}.pos_encoder", PLACES)[:, 0], f"{name}.project", FEATURES)
        shares = softmax(queries @ keys.reshape(batch, FEATURES, -1) / FEATURES**0.5)
        seen = (shares @ values.reshape(batch, FEATURES, -1).transpose(0, 2, 1)).transpose(1, 0, 2)
        return seen, self.linear(seen, "vision.cls", self.classes)

    def language(self, logits):
        chances, ended = softmax(logits), logits.argmax(-1) == 0  # (T', N)
        sizes = np.where(ended.any(0), ended.argmax(0) + 1, PLACES).clip(2, PLACES)
        memory = self.linear(chances, "language.proj", FEATURES, bias=False)
        memory = memory + self.positions("language.token_encoder", PLACES)
        x = np.zeros_like(memory) + self.positions("language.pos_encoder", PLACES)
        hidden = np.eye(PLACES, dtype=bool)[None] | (np.arange(PLACES) >= sizes[:, None])[:, None]
        for number in range(2):
            name = f"language.model.layers.{number}"
            x = self.layer(x, memory, name, "multihead_attn", ("norm2", "norm3"), hidden)
        self.linear(x, "language.cls", self.classes)
        return x

    def logits(self, rgb: np.ndarray) -> list[np.ndarray]:
        """Logits (T', N, classes) of vision and after each iteration, of `rgb` (N, 3, 32, 128) in [-1, 1]."""
        pixels = ((rgb + 1) / 2 - MEAN[:, None, None]) / DEVIATION[:, None, None]
        seen, logits = self.vision(pixels)
        found = [logits]
        for _ in range(ITERATIONS):
            told = self.language(found[-1])
            gate = sigmoid(self.linear(np.concatenate([told, seen], -1), "alignment.w_att", FEATURES))
            found.append(self.linear(gate * seen + (1 - gate) * told, "alignment.cls", self.classes))
        return found


@pytest.fixture(scope="module")
def published():
    """The restated code, pictures, and what it makes of them."""
    made = Published()
    rgb = np.random.default_rng(2).uniform(-1, 1, (2, 3, 32, 128))
    return made, rgb, made.logits(rgb)


@pytest.fixture
def npz(tmp_path):
    def write(state: dict[str, np.ndarray]):
        np.savez(tmp_path / "abinet.npz", **state)
        return tmp_path / "abinet.npz"

    return write


def read(imported, rgb: np.ndarray) -> list[np.ndarray]:
    """Logits of vision and of each fusion by the imported model."""
    model = construct(imported.spec)
    load_state(model, imported.arrays)
    model.eval()
    with no_grad():
        seq, lengths = model.sequence(ops.array(rgb), np.full(len(rgb), 128))
        if model.corrector is None:
            return [ops.numpy(model.generator(seq, lengths))]
        vision, _, fusions = model.corrector.iterate(model.generator, seq, lengths)
        return [ops.numpy(one) for one in (vision, *fusions)]


def test_the_imported_model_computes_what_the_public_code_computes(published, npz):
    made, rgb, expected = published
    imported = import_weights(npz(made.state), SYMBOLS, "abinet")
    assert imported.spec.labels.max_length == PLACES - 1 and imported.spec.corrector.options["iterations"] == 3
    found = read(imported, rgb)
    assert len(found) == len(expected)
    for own, theirs in zip(found, expected):
        np.testing.assert_allclose(own, theirs, atol=2e-3 * np.abs(theirs).max())


def test_vision_alone_is_a_model_too(published, npz):
    """As its first training leaves it: the same names without `vision.`."""
    made, rgb, expected = published
    alone = {key.removeprefix("vision."): v for key, v in made.state.items() if key.startswith("vision.")}
    imported = import_weights(npz(alone), SYMBOLS, "vision")
    assert imported.spec.corrector is None
    np.testing.assert_allclose(read(imported, rgb)[0], expected[0], atol=2e-3 * np.abs(expected[0]).max())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop("alignment.cls.bias"), r"missing alignment\.cls\.bias"),
        (
            lambda s: s.pop("language.model.layers.1.multihead_attn.in_proj_weight"),
            r"missing .*1\.multi.*in_proj_weight",
        ),
        (
            lambda s: s.update({"language.cls.weight": np.ones((9, 5), np.float32)}),
            r"language\.cls\.weight is \[9, 5\]",
        ),
        (lambda s: s.update({"more": np.zeros(1, np.float32)}), "extra more"),
        (
            lambda s: s.update({"language.pos_encoder.pe": np.zeros((6, 1, 32), np.float32)}),
            r"pos_encoder\.pe holds other",
        ),
        (lambda s: s.pop("vision.cls.weight"), r"no vision\.cls\.weight of 2 axes"),
        (lambda s: s.update({"vision.cls.weight": np.ones((5, 32), np.float32)}), "5 classes"),
    ],
)
def test_what_does_not_fit_is_named_as_the_file_names_it(published, npz, change, said):
    state = dict(published[0].state)
    change(state)
    with pytest.raises(UserError, match=said):
        import_weights(npz(state), SYMBOLS)
