"""Models of every kind in 8 bits: the same keys in other places, files that whatever reads weights reads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crnn_jt import backend
from crnn_jt.backend import no_grad, ops, state
from crnn_jt.compression.eight_bits import calibrate, open_to_rounding, store
from crnn_jt.models import build, restore
from crnn_jt.tasks import task_of
from crnn_jt.weights import Weights, load_weights, save_weights
from data_tools.errors import UserError
from data_tools.loader import Loader
from data_tools.readers import open_reader
from tests.crnn_jt import tiny

SPECS = {
    "recognizer": tiny.model(),
    "detector": tiny.detector(),
    "direction": tiny.direction(),
}


def output(model) -> np.ndarray:
    image = model.spec.image
    x = np.random.default_rng(3).uniform(-1, 1, (4, 1, image.height, image.width)).astype(np.float32)
    with no_grad():
        if model.spec.kind == "recognizer":
            return ops.numpy(model.sequence(ops.array(x), np.full(4, image.width))[0])
        return ops.numpy(model(ops.array(x)))


@pytest.mark.parametrize("name", SPECS)
def test_calibrated_stored_and_read_it_is_the_same_model(name, tmp_path):
    """Near the float one; the file of integers gives what the model gave that rounds as it goes, to the bit."""
    write = tiny.write_photos if name == "detector" else tiny.write_set
    labels = {"labels": dict.fromkeys(range(8), "abcd")} if name == "direction" else {}
    data = open_reader(write(tmp_path / "set", 8, **labels))
    model = tiny.lively(build(SPECS[name], 0))
    opened = open_to_rounding(Weights(state(model), SPECS[name]))
    rounded = restore(opened, name)
    task = task_of(rounded, replace(tiny.config(SPECS[name]), model=opened.spec))
    with no_grad():
        assert calibrate(task, Loader(data, task.collate(True), 4, accept=task.accept).batches(), 8) == 8
    before, after = output(model), output(rounded)
    change = np.abs(after - before)
    assert change.max() > 0 and np.median(change) < 0.05 * np.abs(before).max()
    made = replace(opened, arrays=state(rounded))
    save_weights(tmp_path / "int8", store(made))
    read = load_weights(tmp_path / "int8")
    assert read.rounded and np.array_equal(output(restore(read, "int8")), after)
    with pytest.raises(UserError, match="8 bits already"):
        open_to_rounding(read)


def test_recurrent_products_are_left_unless_asked_for():
    """As published."""
    weights = Weights(state(build(tiny.model(), 0)), tiny.model())
    plain, recurrent = (set(store(open_to_rounding(weights, flag)).rounded) for flag in (False, True))
    assert {key.split(".")[2] for key in recurrent - plain} == {"0", "2"}
    assert all("weight_ih" in key or "weight_hh" in key for key in recurrent - plain)


def test_bounds_learn_in_a_group_of_their_own():
    """With a decay of their own; weights as before."""
    opened = open_to_rounding(Weights(state(build(tiny.model(), 0)), tiny.model()))
    model = restore(opened, "opened")
    groups = task_of(model, tiny.config(opened.spec)).groups()
    assert set(groups) == {"weights", "clips"} and all(name.endswith(".clip") for name in groups["clips"])
    assert not set(groups["weights"]) & set(backend.buffers(model))
