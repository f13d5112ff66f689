"""`train-language`: a corrector that learns from texts, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import yaml

from crnn_jt.backend import state
from crnn_jt.models import build
from crnn_jt.spec import Config, to_dict
from crnn_jt.weights import load_weights
from tests.crnn_jt import tiny
from tests.crnn_jt.test_tasks import SPELLING

STEPS = 180
TRAIN = {"steps": STEPS, "validate_every": STEPS, "checkpoint_every": STEPS}
TRAIN |= {"batch_size": 64, "learning_rate": 0.01, "workers": 0}


def write_config(folder, **changes) -> str:
    """A tiny corrector of eight letters."""
    config = Config(replace(SPELLING, **changes), tiny.config(**TRAIN).train)
    (folder / "tiny.yaml").write_text(yaml.safe_dump(to_dict(config)))
    return str(folder / "tiny.yaml")


def test_it_learns_the_words_of_a_list_and_leaves_vision_alone(tmp_path):
    (tmp_path / "list.txt").write_text("face\t2\nhead\t1\nbeg\t1\nfeed\t1\n")
    out = tmp_path / "run"
    command = ["train-language", "--config", write_config(tmp_path), "--out", out, "--train", tmp_path / "list.txt"]
    result = tiny.command(*command)
    assert result.returncode == 0, result.stderr[-2000:]
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert losses[-1] < 0.6 * losses[0]
    last = [line for line in lines if "kept" in line][-1]
    assert last["n"] == 2000 and last["kept"] > 60 and last["accuracy"] > 50  # always the likeliest word: 40

    fresh = {name: np.asarray(value) for name, value in state(build(SPELLING, tiny.config().train.seed)).items()}
    learnt = load_weights(out / "last.safetensors").arrays
    changed = {name for name in fresh if not np.allclose(fresh[name], learnt[name], atol=1e-6)}
    assert changed and all(name.startswith("corrector.") for name in changed)
    assert not any(name.startswith(("corrector.gate", "corrector.fused")) for name in changed)

    again = tiny.command("train-language", "--out", out, "--resume", "--steps", STEPS + 1, "--train", "english")
    assert again.returncode == 2 and "data.train" in again.stderr


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        ({"corrector": None}, [], "tiny has no corrector"),
        ({}, ["--train", "nowhere.txt"], "nowhere.txt: cannot be read"),
        ({}, ["--train", "strange.txt"], "0 can be used"),
        ({}, ["--train", "counts.txt"], "has no count"),
    ],
)
def test_what_cannot_be_learnt_from_is_one_line(tmp_path, change, options, said):
    (tmp_path / "strange.txt").write_text("щит\nлес\n", "utf-8")
    (tmp_path / "counts.txt").write_text("face\t3\nhead\n")
    options = [str(tmp_path / word) if word.endswith(".txt") else word for word in options]
    result = tiny.command(
        "train-language", "--config", write_config(tmp_path, **change), "--out", tmp_path / "run", *options
    )
    tiny.one_line(result, said)
