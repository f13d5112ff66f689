"""`compress` from the command line, in this process: what is written, that it goes on, and what it refuses."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from crnn_jt.__main__ import main
from crnn_jt.backend import state
from crnn_jt.models import build
from crnn_jt.reading import load
from crnn_jt.spec import to_dict
from crnn_jt.weights import Weights, load_weights, save_weights
from tests.crnn_jt import tiny

SPEC = replace(tiny.model(), name="small")


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A trained model's file, its configuration, data, and a function that compresses it."""
    root = tmp_path_factory.mktemp("compress")
    save_weights(root / "small.safetensors", Weights(state(tiny.lively(build(SPEC, 0))), SPEC))
    train = {"optimizer": "sgd", "schedule": "constant", "checkpoint_every": 1, "augment": False}
    (root / "small.yaml").write_text(yaml.safe_dump(to_dict(tiny.config(SPEC, **train))))
    data = tiny.write_set(root / "set", 12)

    def compress(step: str, *more: object, out: str, weights: object = root / "small.safetensors") -> int:
        own = ["--weights", weights, "--config", root / "small.yaml"] if "--resume" not in more else []
        sys.argv = list(map(str, ["crnn_jt", "compress", step, *own, "--out", root / out, *more]))
        return main()

    return SimpleNamespace(root=root, compress=compress, data=("--train", data, "--val", data))


def test_pact_is_learnt_stored_and_read(given):
    """A file of integers that says what it came from, and that reads; trained on in two goes it is the same."""
    assert given.compress("pact", *given.data, "--steps", 4, out="whole") == 0
    made = load_weights(given.root / "whole/int8.safetensors")
    assert made.info["made_from"] == {"method": "PACT", "weights": "small.safetensors", "name": "small"}
    assert str(given.root) not in str(made.info)
    assert made.rounded and made.spec.name == "small-int8"
    assert len(load(given.root / "whole/int8.safetensors").read([tiny.draw("abc")])) == 1
    assert given.compress("pact", *given.data, "--steps", 2, out="parts") == 0
    assert given.compress("pact", "--resume", "--steps", 4, out="parts") == 0
    one, two = (load_weights(given.root / name / "last.safetensors").arrays for name in ("whole", "parts"))
    assert all(np.array_equal(one[key], two[key]) for key in one)
    start = load_weights(given.root / "whole/start.safetensors").arrays
    assert any(not np.array_equal(one[key], start[key]) for key in one if key.endswith(".clip"))


def test_pruned_to_a_share_of_its_work(given, capsys):
    """Half of the multiply-adds, a table and a plot; the first measurements are kept for a second try."""
    how = ("--keep", 0.6, "--shares", "0.5", "--pictures", 8)
    assert given.compress("prune", *given.data, *how, "--steps", 2, out="pruned") == 0
    assert "extractor.stack.0" in capsys.readouterr().out
    folder = given.root / "pruned"
    before, after = load_weights(given.root / "small.safetensors"), load_weights(folder / "best.safetensors")
    assert sum(v.size for v in after.arrays.values()) < sum(v.size for v in before.arrays.values())
    assert after.info["made_from"]["method"] == "FPGM" and 0.3 < after.info["left"] <= 0.6
    assert (folder / "sensitivity.png").stat().st_size > 0
    assert len(load(folder / "best.safetensors").read([tiny.draw("abc")])) == 1
    found = json.loads((folder / "sensitivity.json").read_text())
    assert all(set(one["scores"]) == {"0.5"} for one in found["sets"].values())
    assert given.compress("calibrate", *given.data, out="both", weights=folder / "best.safetensors") == 0
    both = load_weights(given.root / "both/calibrated.safetensors").info
    assert both["made_from"]["made_from"]["name"] == "small" and str(given.root) not in str(both)


@pytest.mark.parametrize(
    ("step", "more", "said"),
    [
        ("pact", ("--resume",), "--resume"),
        ("calibrate", ("--resume",), "nothing to go on with"),
        ("pact", ("--init", "crnn-light"), "--init crnn-light"),
        ("prune", ("--shares", "2"), "--shares 2"),
        ("prune", ("--keep", "1.5"), "--keep"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(given, step, more, said, capsys):
    assert given.compress(step, *more, out="none") == 2
    assert said in capsys.readouterr().err.strip().splitlines()[-1]
    assert not (given.root / "none").exists()
