"""Published CRNN weights: the imported model computes what the published network computes."""

import json
import pickle

import numpy as np
import pytest
from safetensors.numpy import save_file

from crnn_jt import weights
from crnn_jt.foreign import import_weights, read_foreign
from crnn_jt.layers import Activation, BatchNorm, BiLSTM, Conv, Linear, MaxPool
from data_tools.cli import Command, main
from data_tools.errors import UserError
from tests.oracle.plan import evaluate, random_state

CHANNELS = (4, 8, 16, 16, 32, 32, 32)  # crnn.pytorch's 64 … 512, a sixteenth as wide
HIDDEN = 6


def published_plan() -> tuple:
    """crnn.pytorch's models/crnn.py, restated: (name, layer) of the convolutional part."""
    plan, channels = [], 1
    for number, out in enumerate(CHANNELS):
        last = number == 6
        plan.append(
            (f"cnn.conv{number}", Conv(channels, out, (2, 2) if last else (3, 3), padding=(0, 0) if last else (1, 1)))
        )
        if number in (2, 4, 6):
            plan.append((f"cnn.batchnorm{number}", BatchNorm(out)))
        plan.append((f"cnn.relu{number}", Activation()))
        if number in (0, 1):
            plan.append((f"cnn.pooling{number}", MaxPool()))
        if number in (3, 5):
            plan.append((f"cnn.pooling{number}", MaxPool((2, 2), (2, 1), (0, 1))))
        channels = out
    return tuple(plan)


def recurrent_plan(classes: int = 37, features: int = CHANNELS[-1]) -> tuple:
    return (
        ("rnn.0.rnn", BiLSTM(features, HIDDEN)),
        ("rnn.0.embedding", Linear(2 * HIDDEN, HIDDEN)),
        ("rnn.1.rnn", BiLSTM(HIDDEN, HIDDEN)),
        ("rnn.1.embedding", Linear(2 * HIDDEN, classes)),
    )


def state_of(named: tuple, seed: int) -> dict[str, np.ndarray]:
    state = random_state(tuple(layer for _, layer in named), np.random.default_rng(seed))
    return {f"{named[int(key.split('.')[0])][0]}.{key.split('.', 1)[1]}": value for key, value in state.items()}


def published(classes: int = 37, features: int = CHANNELS[-1]) -> dict[str, np.ndarray]:
    return state_of(published_plan(), 1) | state_of(recurrent_plan(classes, features), 2)


def forward(named: tuple, state: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    numbered = {}
    for place, (name, _) in enumerate(named):
        inside = {key[len(name) + 1 :]: value for key, value in state.items() if key.startswith(f"{name}.")}
        numbered |= {f"{place}.{key}": value for key, value in inside.items()}
    return evaluate(tuple(layer for _, layer in named), numbered, x)


@pytest.fixture
def npz(tmp_path):
    def write(state: dict[str, np.ndarray]):
        np.savez(tmp_path / "crnn.npz", **state)
        return tmp_path / "crnn.npz"

    return write


def test_the_imported_stages_compute_what_the_published_network_computes(npz):
    from crnn_jt.models import Recognizer

    state = published()
    imported = import_weights(npz(state))
    model = Recognizer(imported.spec)
    assert (imported.spec.extractor.name, imported.spec.labels.characters[:11]) == ("vgg", "0123456789a")

    images = np.random.default_rng(3).uniform(-1, 1, (2, 1, 32, 100))
    features = forward(published_plan(), state, images)
    ours = evaluate(model.extractor.layers(), imported.arrays, images, "extractor.stack.")
    assert features.shape == ours.shape == (2, 32, 1, 26) and np.abs(features - ours).max() < 1e-5

    sequence = features[:, :, 0].transpose(2, 0, 1)  # (T, N, C)
    logits = forward(recurrent_plan(), state, sequence)
    refined = evaluate(model.refiner.layers(), imported.arrays, sequence, "refiner.stack.")
    head = imported.arrays["generator.head.weight"], imported.arrays["generator.head.bias"]
    assert np.abs(refined @ head[0].T + head[1] - logits).max() < 1e-5
    assert len(imported.notes) == 1 and "cnn.conv2.bias" in imported.notes[0]


def test_every_kind_of_file_prefix_and_nesting_gives_the_same_arrays(npz, tmp_path):
    state = published()
    save_file(state, tmp_path / "a.safetensors")
    nested = {"epoch": 3, "state_dict": {f"module.{key}": value for key, value in state.items()}}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(nested))
    for path in (npz(state), tmp_path / "a.safetensors", tmp_path / "a.pkl"):
        found = read_foreign(path)
        assert found.keys() == state.keys() and all(np.array_equal(found[key], state[key]) for key in state)


def test_the_global_variant_and_other_characters_are_recognised(npz):
    imported = import_weights(npz(published(27, 26)), "abcdefghijklmnopqrstuvwxyz", "mine")
    assert imported.spec.extractor.name == "vgg_global" and imported.spec.name == "mine"
    assert imported.arrays["generator.head.weight"].shape == (27, 2 * HIDDEN)


def test_long_words_are_read_in_proportion(npz):
    """As the paper reads them, at least 100 wide; but where the whole of 32 x 100 is one vector there is one width."""
    image = import_weights(npz(published())).spec.image
    assert (image.resize, image.narrowest, image.widest) == ("proportional", 100, 400)
    assert import_weights(npz(published(27, 26)), "abcdefghijklmnopqrstuvwxyz").spec.image.resize == "fixed"


def test_counters_of_pytorch_are_left_out(npz):
    imported = import_weights(npz(published() | {"cnn.batchnorm2.num_batches_tracked": np.array(5)}))
    assert any("num_batches_tracked" in note for note in imported.notes)


def _without(state, key):
    return {name: value for name, value in state.items() if name != key}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: _without(s, "cnn.conv3.weight"), "missing cnn.conv3.weight"),
        (lambda s: s | {"cnn.conv9.weight": np.zeros(3, np.float32)}, "extra cnn.conv9.weight"),
        (lambda s: s | {"cnn.conv1.weight": np.zeros((8, 4, 5, 5), np.float32)}, r"conv1.weight is \[8, 4, 5, 5\]"),
        (lambda s: s | {"cnn.conv2.bias": np.zeros(3, np.float32)}, r"conv2.bias is \[3\]"),
        (lambda s: s | {"cnn.conv0.bias": np.zeros(4, np.int64)}, "conv0.bias holds int64"),
        (lambda s: s | {"cnn.conv0.weight": np.zeros(3, np.float32)}, "conv0.weight"),
        (lambda s: _without(s, "rnn.0.rnn.weight_hh_l0"), "not a published CRNN layout"),
        (lambda s: {"fc.weight": np.zeros((3, 3), np.float32)}, "not a published CRNN layout"),
    ],
)
def test_what_does_not_fit_is_named_as_the_file_names_it(npz, change, said):
    path = npz(change(published()))
    with pytest.raises(UserError, match=said) as raised:
        import_weights(path)
    assert str(path) in str(raised.value) and "\n" not in str(raised.value)


def test_classes_without_characters_are_asked_for(npz):
    with pytest.raises(UserError, match=r"63 classes.*62 characters"):
        import_weights(npz(published(63)))


def test_files_that_are_missing_damaged_or_without_arrays_are_one_line(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 broken")
    (tmp_path / "b.safetensors").write_bytes(b"\xff" * 30)
    (tmp_path / "c.pkl").write_bytes(pickle.dumps({"epoch": 1}))
    np.savez(tmp_path / "d.npz", x=np.array([{}], dtype=object))
    for name in ("none.pth", "a.npz", "b.safetensors", "c.pkl", "d.npz"):
        with pytest.raises(UserError, match=name.replace(".", r"\.")):
            read_foreign(tmp_path / name)


def test_the_command_writes_a_weights_file_that_opens(npz, tmp_path, capsys):
    commands = {"import-weights": Command("crnn_jt.commands.import_weights", "")}

    def run(*words):
        return main("crnn_jt", "", commands, ["import-weights", *map(str, words)])

    path = npz(published())
    assert run(path, "--out", tmp_path / "crnn.safetensors", "--json") == 0
    assert json.loads(capsys.readouterr().out)["parameters"] == sum(
        value.size for key, value in published().items() if key not in [f"cnn.conv{n}.bias" for n in (2, 4, 6)]
    )
    opened = weights.load_weights(tmp_path / "crnn.safetensors")
    assert opened.spec.generator.name == "ctc" and opened.info["imported_from"] == "crnn.npz"
    assert run(path, "--out", tmp_path / "crnn.pth") == 2 and "end it in .safetensors" in capsys.readouterr().err
