"""Weights in 8 bits: what is written is what is read, to the last bit, again and again."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import save

from crnn_jt.rounding import axis_of, restore_weights, round_weights
from crnn_jt.spec import to_dict
from crnn_jt.weights import Weights, load_weights, read_safetensors, save_weights
from data_tools.errors import UserError
from data_tools.files import write_bytes
from tests.crnn_jt import tiny

SHAPES = [((64, 3, 3, 3), 0), ((5, 7, 2, 2), 1), ((400, 30), 0), ((6, 1, 2, 2), None)]


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_rounding_is_to_half_a_step_and_stays(shape, axis):
    """Half of a 127th of the channel's greatest; rounded again nothing changes, scales too: files can be rewritten."""
    weights = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    weights[:1] *= 1000
    integers, scale = round_weights(weights, axis)
    restored = restore_weights(integers, scale)
    assert np.abs(integers).max() == 127 and (np.abs(weights - restored) <= 0.5001 * scale).all()
    again, same = round_weights(restored, axis)
    assert np.array_equal(again, integers) and np.array_equal(same, scale) and axis_of(scale) == axis


def test_a_channel_of_zeros_stays_one():
    integers, scale = round_weights(np.zeros((2, 3), np.float32), 0)
    assert not integers.any() and np.isfinite(scale).all()


def test_a_file_holds_bytes_and_gives_floats(tmp_path):
    """Whatever reads weights reads them; the file is a quarter as large; written again it is the same."""
    weights = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)
    save_weights(tmp_path / "one", Weights({"head.weight": weights}, tiny.model(), {}, {"head.weight": 0}))
    found = load_weights(tmp_path / "one")
    assert found.arrays["head.weight"].dtype == np.float32 and found.rounded == {"head.weight": 0}
    np.testing.assert_allclose(found.arrays["head.weight"], weights, atol=0.02)
    save_weights(tmp_path / "two", found)
    one, two = (read_safetensors(tmp_path / name)[0] for name in ("one", "two"))
    assert one.keys() == two.keys() and all(np.array_equal(one[key], two[key]) for key in one)
    save_weights(tmp_path / "float", Weights({"head.weight": weights}, tiny.model()))
    assert (tmp_path / "float").stat().st_size - (tmp_path / "one").stat().st_size > 2.5 * weights.size


@pytest.mark.parametrize("scale", [None, np.ones((64, 64), np.float32), np.ones((32, 1), np.float32), np.ones((64, 1))])
def test_scales_that_do_not_fit_are_refused(scale, tmp_path):
    arrays = {"head.weight": np.ones((64, 64), np.int8)} | ({} if scale is None else {"head.weight.scale": scale})
    write_bytes(tmp_path / "bad", save(arrays, {"spec": json.dumps(to_dict(tiny.model()))}))
    with pytest.raises(UserError, match=r"head\.weight: holds int8 without scales"):
        load_weights(tmp_path / "bad")
