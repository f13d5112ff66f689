"""`train --unlabelled`: what the model is certain of is learnt, broken pictures are named, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import yaml

from crnn_jt.backend import state
from crnn_jt.models import build
from crnn_jt.spec import StageSpec, to_dict
from crnn_jt.tasks import task_of
from crnn_jt.weights import Weights, save_weights
from tests.crnn_jt import tiny
from tests.crnn_jt.test_tasks import SPELLING


@pytest.fixture
def unlabelled(tmp_path):
    """Eight drawn words and a broken picture, without labels."""
    folder = tiny.write_set(tmp_path / "unlabelled", 8)
    (folder / "gt.txt").unlink()
    (folder / "image" / "broken.png").write_bytes(b"no picture")
    return folder


def write_config(folder, model=SPELLING, task=None, **train) -> str:
    given = replace(tiny.config(model, **{"steps": 4, "validate_every": 4, "augment": False, **train}), task=task)
    (folder / "tiny.yaml").write_text(yaml.safe_dump(to_dict(given)))
    return str(folder / "tiny.yaml")


def test_pictures_take_turns_with_labelled_ones_and_broken_ones_are_named(crnn_jt, data, unlabelled, tmp_path, caplog):
    """The share of certain pictures stands with the validation, and a run is gone on with as it was begun."""
    out, start = tmp_path / "run", tmp_path / "start.safetensors"
    model = tiny.lively(build(SPELLING))
    save_weights(start, Weights(state(model), SPELLING))
    sets = ("--train", data, "--val", data)
    own = ("--unlabelled", unlabelled, "--certainty", 0, "--label-every", 2, "--init", start)
    with caplog.at_level("INFO"):
        code, _, said = crnn_jt("train", "--config", write_config(tmp_path), "--out", out, *sets, *own)
    assert not code, said
    assert "broken.png" in caplog.text and "of 8 unlabelled pictures; 1 cannot be read" in caplog.text
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [line["certain"] for line in lines if "certain" in line] == [pytest.approx(100 * 8 / 9)]
    code, _, said = crnn_jt("train", "--out", out, "--resume", "--unlabelled", data)
    assert code == 2 and "was not begun with --unlabelled" in said
    assert not crnn_jt("train", "--out", out, "--resume", "--steps", 5)[0]


def test_what_is_certain_is_learnt_under_the_readings_as_labels(data, unlabelled):
    """Every second step; the labels are the model's own readings, at the places where they were read."""
    stage = StageSpec("self_training", {"unlabelled": [str(unlabelled)], "certainty": 0.0, "every": 4})
    config = replace(tiny.config(SPELLING, augment=False), task=stage)
    model = tiny.lively(build(SPELLING))
    task = task_of(model, config)
    labelled = next(tiny.text_loader(tiny.DrawnWords(4), task.collate(True).transform, 4).batches())
    task.before_step(1)
    assert np.array_equal(task.usable(labelled)[0].images, labelled.images)
    task.before_step(2)
    lines, _ = task.usable(labelled)
    assert not np.array_equal(lines.images, labelled.images)
    model.eval()
    readings = model.generator.decode(*model.log_probs(lines.images, lines.widths))
    model.train()
    for reading, target, size in zip(readings, lines.targets, lines.sizes):
        assert list(reading.indices) == target[:size].tolist()
    again = task_of(model, config)
    again.recall(task.memory())
    for step in (2, 4):
        task.before_step(step)
        again.before_step(step)
        assert np.array_equal(task.usable(labelled)[0].images, again.usable(labelled)[0].images)


def test_where_too_few_are_certain_labelled_pictures_take_their_turns(data, unlabelled):
    stage = StageSpec("self_training", {"unlabelled": [str(unlabelled)], "certainty": 1.0, "every": 2})
    config = replace(tiny.config(SPELLING, augment=False), task=stage)
    task = task_of(tiny.lively(build(SPELLING)), config)
    labelled = next(tiny.text_loader(tiny.DrawnWords(4), task.collate(True).transform, 4).batches())
    for step in (1, 2):
        task.before_step(step)
        assert np.array_equal(task.usable(labelled)[0].images, labelled.images)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--unlabelled", "gone"), "gone: there is no such file or folder"),
        (("--unlabelled", "HERE", "--certainty", 2), "certainty 2"),
        (("--unlabelled", "HERE", "--label-every", 1), "every 1: it takes 2 or more"),
        (("--certainty", 0.5), "--certainty: is for --unlabelled"),
    ],
)
def test_what_makes_no_sense_is_one_line(mistake, data, unlabelled, tmp_path, options, said):
    options = [unlabelled if word == "HERE" else word for word in options]
    sets = ("--train", data, "--val", data)
    line = mistake("train", "--config", write_config(tmp_path), "--out", tmp_path / "run", *sets, *options)
    assert said in line


def test_a_model_of_another_kind_is_refused(mistake, unlabelled, tmp_path):
    config = write_config(tmp_path, tiny.direction())
    assert "is a direction" in mistake(
        "train", "--config", config, "--out", tmp_path / "run", "--unlabelled", unlabelled
    )
