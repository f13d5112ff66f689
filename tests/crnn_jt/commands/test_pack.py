"""`pack`: what ships is half precision, measured as it ships; several files of one model become their mean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crnn_jt.backend import state
from crnn_jt.compression.eight_bits import open_to_rounding, store
from crnn_jt.models import build
from crnn_jt.weights import Weights, load_weights, save_weights
from tests.crnn_jt import tiny


@pytest.fixture
def other(tmp_path):
    """Other weights of the same model."""
    path = tmp_path / "other.safetensors"
    save_weights(path, Weights(state(build(tiny.model(), 5)), tiny.model(), {"step": 7}))
    return path


def test_a_packed_file_is_small_and_says_what_it_reads(crnn_jt, weights, data, tmp_path):
    """float16, a name and a note, figures by data set."""
    out = tmp_path / "packed.safetensors"
    code, printed, _ = crnn_jt(
        "pack", "--weights", weights, "--out", out, "--name", "mine", "--note", "n", "--data", data
    )
    packed = load_weights(out)
    assert code == 0 and str(out) in printed and out.stat().st_size < 0.7 * weights.stat().st_size
    assert packed.spec.name == "mine" and packed.info["note"] == "n" and packed.info["measured"][data.name]["n"] == 6


def test_several_files_become_their_mean(crnn_jt, weights, other, tmp_path):
    """Array by array; facts are the last file's."""
    out = tmp_path / "mean.safetensors"
    assert crnn_jt("pack", "--weights", weights, other, "--out", out)[0] == 0
    first, second, mean = map(load_weights, (weights, other, out))
    for key, value in mean.arrays.items():
        assert np.allclose(value, (first.arrays[key] + second.arrays[key]) / 2, atol=1e-3)
    assert mean.info["step"] == 7 and mean.info["mean_of"] == 2


def test_a_file_in_8_bits_stays_one(crnn_jt, mistake, weights, tmp_path):
    """To the bit; of several there is no mean."""
    opened = open_to_rounding(load_weights(weights))
    ranges = {key: np.float32([2]) for key in opened.arrays if key.endswith(".range")}
    small, out = tmp_path / "small.safetensors", tmp_path / "out.safetensors"
    save_weights(small, store(replace(opened, arrays=opened.arrays | ranges)), half=True)
    assert crnn_jt("pack", "--weights", small, "--out", out, "--note", "n")[0] == 0
    before, after = load_weights(small), load_weights(out)
    assert after.rounded == before.rounded and after.info["note"] == "n"
    assert all(np.array_equal(before.arrays[key], after.arrays[key]) for key in before.arrays)
    assert "small.safetensors: is in 8 bits" in mistake("pack", "--weights", small, small, "--out", out)


def test_weights_of_two_models_have_no_mean(mistake, weights, tmp_path):
    """Other shapes, or other symbols in the same shapes: refused, and nothing is written."""
    wide, renamed, out = tmp_path / "wide.safetensors", tmp_path / "renamed.safetensors", tmp_path / "out.safetensors"
    spec = tiny.model("vgg")
    save_weights(wide, Weights(state(build(spec)), spec))
    spec = tiny.model(characters="hgfedcba")
    save_weights(renamed, Weights(state(build(spec)), spec))
    assert "wide.safetensors: does not fit the model" in mistake("pack", "--weights", wide, weights, "--out", out)
    assert "is of another model" in mistake("pack", "--weights", renamed, weights, "--out", out)
    assert not out.exists()
