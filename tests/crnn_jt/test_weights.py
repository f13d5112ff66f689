"""Weights files: strict, never code, and good for fine-tuning."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from safetensors.numpy import save

from crnn_jt.backend import state
from crnn_jt.models import Recognizer, build
from crnn_jt.reading import SequenceReader
from crnn_jt.spec import to_dict
from crnn_jt.weights import Weights, check, find_weights, load_weights, save_weights, transfer
from data_tools.errors import UserError
from tests.crnn_jt import tiny


@pytest.fixture
def weights():
    return Weights(state(build(tiny.model())), tiny.model(), {"step": 3})


@pytest.fixture
def file(weights, tmp_path):
    path = tmp_path / "tiny.safetensors"
    save_weights(path, weights)
    return path


def test_a_file_rebuilds_its_model(file, weights):
    """Arrays, spec and facts come back; half precision is rounded, not broken."""
    found = load_weights(file)
    assert found.spec == weights.spec and found.info == {"step": 3}
    assert all(np.array_equal(found.arrays[key], weights.arrays[key]) for key in weights.arrays)
    save_weights(file, weights, half=True)
    found = load_weights(file)
    for key, value in weights.arrays.items():
        assert found.arrays[key].dtype == np.float32
        np.testing.assert_allclose(found.arrays[key], value, rtol=1e-3, atol=1e-6)


def test_missing_extra_and_misshapen_keys_are_named():
    """One line with what is wrong, and how many more there are."""
    own = {"a": np.zeros(2), "b": np.zeros((2, 3)), "c": np.zeros(1)}
    with pytest.raises(UserError) as caught:
        check({"b": np.zeros((3, 3)), "d": np.zeros(1), "c": np.zeros(1)}, own, "w.safetensors")
    said = "w.safetensors: does not fit the model: missing a; extra d; b is [3, 3], the model wants [2, 3]"
    assert str(caught.value) == said
    with pytest.raises(UserError, match="and 4 more"):
        check({}, {str(n): np.zeros(1) for n in range(9)}, "w")


def test_weights_of_another_shape_are_refused(weights):
    """A reader never runs with part of its weights."""
    arrays = {**weights.arrays, "generator.head.bias": np.zeros(5, np.float32)}
    with pytest.raises(UserError, match=r"x: does not fit.*generator\.head\.bias is \[5\], the model wants \[9\]"):
        SequenceReader(Weights(arrays, weights.spec), "x")


def header(content: dict | bytes, size: int | None = None) -> bytes:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return struct.pack("<Q", len(raw) if size is None else size) + raw


HOSTILE = {
    "empty": b"",
    "text": b"these are not the weights",
    "pickle": b"\x80\x04cos\nsystem\n(S'true'\ntR.",
    "huge header": header(b"{}", 2**62),
    "bad header": header(b"{{{{"),
    "array beyond the file": header({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}),
    "negative": header({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}) + b"\0" * 4,
    "unknown type": header({"a": {"dtype": "X9", "shape": [1], "data_offsets": [0, 4]}}) + b"\0" * 4,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_no_weights_file_is_one_line(kind, tmp_path):
    """Empty, cut off, lying about its size, a pickle: named, not crashed on, not run."""
    path = tmp_path / "hostile.safetensors"
    path.write_bytes(HOSTILE[kind])
    with pytest.raises(UserError, match=r"hostile\.safetensors: not a readable safetensors file") as caught:
        load_weights(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kept", [0.3, 0.999])
def test_a_truncated_file_is_one_line(kept, file):
    """A download that broke off."""
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(UserError, match="not a readable safetensors file"):
        load_weights(file)


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        (None, "holds no model spec; foreign weights come in by"),
        ({"spec": "{"}, "holds no model spec"),
        ({"spec": "[" * 100_000}, "holds no model spec"),
        ({"spec": "[]"}, "no mapping"),
        ({"spec": json.dumps({**to_dict(tiny.model()), "colour": 1})}, "colour: unknown key"),
        ({"spec": json.dumps(to_dict(tiny.model())), "info": "[1]"}, "its info is no mapping"),
    ],
)
def test_metadata_that_is_no_spec_is_one_line(metadata, said, tmp_path):
    """A safetensors file of something else, or one made to break the reader."""
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(save({"a": np.zeros(1, np.float32)}, metadata))
    with pytest.raises(UserError, match=said):
        load_weights(path)


def test_a_spec_that_wants_all_memory_is_refused(tmp_path):
    """A small file whose spec asks for a gigantic model."""
    spec = to_dict(tiny.model())
    spec["refiner"]["hidden"] = 10**8
    path = tmp_path / "greedy.safetensors"
    path.write_bytes(save({"a": np.zeros(1, np.float32)}, {"spec": json.dumps(spec)}))
    with pytest.raises(UserError, match="refiner bilstm: hidden: 100000000; it takes 0 to"):
        SequenceReader(load_weights(path), "greedy")


def test_integers_are_no_weights(tmp_path):
    """Arrays of another kind are named."""
    path = tmp_path / "integers.safetensors"
    path.write_bytes(save({"a": np.zeros(1, np.int32)}, {"spec": json.dumps(to_dict(tiny.model()))}))
    with pytest.raises(UserError, match="a: holds int32"):
        load_weights(path)


def test_a_name_that_is_none_lists_the_models_that_ship():
    """--weights crnn-lite."""
    with pytest.raises(UserError, match="crnn-lite: no such weights file or model; models that ship: "):
        find_weights("crnn-lite")


def test_fine_tuning_keeps_everything_where_nothing_changed(weights):
    """The same model again: nothing is fresh."""
    fitting, fresh = transfer(weights, state(build(tiny.model(), 1)), tiny.model())
    assert not fresh and fitting.keys() == weights.arrays.keys()


@pytest.mark.parametrize("generator", ["ctc", "attention"])
def test_another_character_set_keeps_the_symbols_that_both_have(generator):
    """As many symbols, but others: rows must follow their symbol, not their number, and what is new is said."""
    old, new = tiny.model(generator=generator), tiny.model(generator=generator, characters="hgxyzabc")
    weights, own = Weights(state(build(old)), old), state(build(new, 1))
    fitting, fresh = transfer(weights, own, new, Recognizer.symbol_rows)
    named = ["generator.head.weight (3 of 9 rows)", "generator.head.bias (3 of 9 rows)"]
    embedding = ["generator.embedding.weight (3 of 10 rows)"] if generator == "attention" else []
    assert sorted(fresh) == sorted(named + embedding)
    head, before = fitting["generator.head.weight"], weights.arrays["generator.head.weight"]
    for symbol in "hgabc":
        row = 1 + new.labels.characters.index(symbol)
        np.testing.assert_array_equal(head[row], before[1 + old.labels.characters.index(symbol)])
    np.testing.assert_array_equal(head[0], before[0])
    np.testing.assert_array_equal(head[3], own["generator.head.weight"][3])
    if embedding:
        last = fitting["generator.embedding.weight"][-1]
        np.testing.assert_array_equal(last, weights.arrays["generator.embedding.weight"][-1])


def test_another_generator_is_fresh_and_the_rest_is_kept(weights):
    """From CTC to attention: the extractor and the refiner are worth keeping, the head is not."""
    spec = tiny.model(generator="attention")
    fitting, fresh = transfer(weights, state(build(spec)), spec)
    assert all(key.startswith("generator.") for key in fresh) and "generator.head.weight" in fresh
    assert not any(key.startswith("generator.") for key in fitting)
