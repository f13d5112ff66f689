"""Every task keeps the trainer's promises: a task that is registered joins by naming a tiny configuration here."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import yaml

from crnn_jt.backend import NAME
from crnn_jt.layers import Choice, Conv, MaxPool, to_values
from crnn_jt.models import build
from crnn_jt.registry import CORRECTORS
from crnn_jt.spec import Config, GroupSpec, StageSpec, to_dict
from crnn_jt.tasks import TASKS, task_of
from crnn_jt.weights import load_weights
from tests.crnn_jt import tiny
from tests.crnn_jt.toy import ToySpec

CHOICE = Choice(((), (Conv(4, 4, (1, 1), padding=(0, 0)),), (Conv(4, 4),)))
CHOICES = (Conv(1, 4, (5, 5), (4, 4), (2, 2)), CHOICE, MaxPool((8, 1), (8, 1)))
SPELLING = replace(tiny.model("light", "identity", "parallel"), corrector=StageSpec("bcn", CORRECTORS.get("bcn").tiny))
SEARCHED = replace(tiny.model(), extractor=StageSpec("plan", {"plan": to_values(CHOICES)}))
TEACHER = replace(tiny.model(), refiner=StageSpec("bilstm", {"hidden": 12, "depth": 2}))
"""Its hidden states are more than a student's: they are compared through a projection, which checkpoints must keep."""
TINY = {
    "recognition": tiny.model(),
    "distillation": tiny.model(),
    "spotting": tiny.spotter("ctc"),
    "distilled-spotting": tiny.spotter("ctc"),
    "selection": tiny.selector(),
    "length": ToySpec("toy"),
    "detection": tiny.detector(),
    "direction": tiny.direction(),
    "search": SEARCHED,
    "language": SPELLING,
    "self_training": tiny.model(),
}
WRITE = {
    **dict.fromkeys(("detection", "spotting", "distilled-spotting", "selection"), tiny.write_photos),
    "direction": partial(tiny.write_set, labels=dict.fromkeys(range(12), "abcd")),  # shorter words are not judged
}
"""How twelve samples are written for a task that does not learn from words."""
OWN = {
    **{key: {"learning_rate": 0.001} for key in ("detection", "spotting", "distilled-spotting", "self_training")},
    "search": {"groups": {"alphas": GroupSpec("adam", 0.001, (0.0, 0.999), weight_decay=0.0)}},
}
"""What is trained otherwise; in steps so short that binarisation, or reading one's own labels, does not magnify
rounding, which ranks do differently.
"""
TRAIN = {"steps": 6, "validate_every": 3, "checkpoint_every": 1, "optimizer": "sgd", "augment": False}
PARALLEL = {
    **os.environ,
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMP_NUM_THREADS": "1",
}


def test_every_task_has_a_tiny_configuration():
    """Else the promises below are not kept for it."""
    assert set(TASKS.names()) == set(TINY)


def named(task: str, data: Path) -> StageSpec | None:
    """A task that is not its model's own, or has options.

    A spotter's words stay where they are: moved, some get more columns than others, and batch statistics see what a
    process's own are padded with, as they do wherever pictures of several widths are trained on by several ranks.
    """
    weights = data.parent / f"{task}.safetensors"
    options = {
        "search": lambda: {"warm_up": 1, "every": 2, "goal": 0.02, "data": [str(data)]},
        "language": dict,
        "self_training": lambda: {"unlabelled": [str(data)], "certainty": 0.0, "every": 2},
        "distillation": lambda: {"teacher": tiny.write_weights(weights, TEACHER), "scale": 0.5},
        "distilled-spotting": lambda: {
            "teacher": tiny.write_weights(weights, tiny.spotter("ctc")),
            "scales": [0.5, 1.0],
            "jitter": 0.0,
        },
        "spotting": lambda: {"jitter": 0.0},
        "selection": lambda: {"student": tiny.write_weights(weights, tiny.spotter("ctc"))},
    }
    return StageSpec(task, options[task]()) if task in options else None


@pytest.mark.parametrize("task", TINY)
def test_workers_load_without_a_framework(task, tmp_path):
    """What batches are made with goes to workers, which would start and lock a framework for nothing."""
    data = tiny.write_set(tmp_path / "set", 2)
    config = Config(TINY[task], tiny.config(**TRAIN).train, task=named(task, data))
    collate = task_of(build(TINY[task], 1), config).collate(True)
    (tmp_path / "collate").write_bytes(pickle.dumps(collate))
    code = "import pickle, sys; pickle.load(open(sys.argv[1], 'rb')); print({'torch', 'jittor'} & set(sys.modules))"
    command = [sys.executable, "-c", code, str(tmp_path / "collate")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "set()", done.stderr


def line(task: str, root: Path, out: str, *more: object) -> list[str]:
    """The command that trains a task on twelve samples."""
    if not (root / "set").exists():
        WRITE.get(task, tiny.write_set)(root / "set", 12)
        train = tiny.config(**TRAIN | OWN.get(task, {})).train
        config = Config(TINY[task], train, task=named(task, root / "set"))
        (root / "tiny.yaml").write_text(yaml.safe_dump(to_dict(config)))
    words = [sys.executable, "-m", "tests.crnn_jt.toy", "train", "--config", root / "tiny.yaml", "--out", root / out]
    return [str(word) for word in (*words, "--train", root / "set", "--val", root / "set", *more)]


def run(command: list[str], **options) -> subprocess.CompletedProcess:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=900, **options)


def read_metrics(folder: Path) -> list[dict]:
    lines = [json.loads(text) for text in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in one.items() if name != "seconds"} for one in lines]


@pytest.fixture(scope="module", params=list(TINY))
def whole(request, tmp_path_factory) -> tuple[str, Path]:
    """A task, and a folder with its run `whole`, never interrupted."""
    root = tmp_path_factory.mktemp(request.param)
    done = run(line(request.param, root, "whole"))
    assert done.returncode == 0, done.stderr[-3000:]
    return request.param, root


def test_validates_while_it_trains_and_keeps_weights_that_load(whole):
    """Losses of each step, the whole set at each validation, best and last weights with their spec."""
    task, root = whole
    lines = read_metrics(root / "whole")
    assert [one["step"] for one in lines if "loss" in one] == [1, 2, 3, 4, 5, 6]
    validations = [one for one in lines if "n" in one]
    assert [(one["step"], one["n"]) for one in validations] == [(3, 12), (6, 12)]
    assert all(load_weights(root / "whole" / f"{name}.safetensors").spec == TINY[task] for name in ("best", "last"))


def test_losses_by_name_add_up_to_the_one_that_is_descended(whole):
    """With several losses each is logged."""
    task, root = whole
    if task == "length":
        for one in read_metrics(root / "whole"):
            if "loss" in one:
                assert one["loss"] == pytest.approx(one["loss/square"] + 0.5 * one["loss/absolute"], rel=1e-5)


def test_killed_and_resumed_it_is_the_run_that_was_never_stopped(whole):
    """SIGKILL after the second checkpoint: the same losses, scores and weights in the end."""
    task, root = whole
    process = subprocess.Popen(line(task, root, "cut"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    metrics = root / "cut" / "metrics.jsonl"
    while process.poll() is None and not (metrics.exists() and len(metrics.read_text().splitlines()) > 1):
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = run(line(task, root, "cut", "--resume"))
    assert done.returncode == 0, done.stderr[-3000:]
    assert read_metrics(root / "cut") == read_metrics(root / "whole")
    first, second = (load_weights(root / name / "last.safetensors").arrays for name in ("whole", "cut"))
    assert all(np.array_equal(first[key], second[key]) for key in first)


@pytest.mark.skipif(NAME != "jittor", reason="Jittor only: the ranks are those of its MPI support")
@pytest.mark.skipif(
    shutil.which("mpirun") is None or shutil.which(os.environ.get("mpicc_path", "mpicc")) is None,
    reason="no mpirun and mpicc: apt install openmpi-bin libopenmpi-dev",
)
def test_two_ranks_are_one_process(whole):
    """The same losses, scores and weights, written by one of them."""
    task, root = whole
    done = run(["mpirun", "-np", "2", *line(task, root, "two")], env=PARALLEL)
    assert done.returncode == 0, done.stderr[-3000:]
    one, two = (read_metrics(root / name) for name in ("whole", "two"))
    assert [list(values) for values in one] == [list(values) for values in two]
    for expected, found in zip(one, two):
        for name, value in expected.items():
            if name.startswith("loss") or name == "n":
                assert found[name] == pytest.approx(value, rel=1e-3), (name, expected["step"])
    first, second = (load_weights(root / name / "last.safetensors").arrays for name in ("whole", "two"))
    for key, value in first.items():
        np.testing.assert_allclose(second[key], value, atol=1e-3 * max(1.0, float(np.abs(value).max())), err_msg=key)


@pytest.mark.parametrize("option", [("--device", "cuda"), ("--precision", "bfloat16")])
def test_what_this_machine_cannot_do_is_refused_in_one_line(whole, option):
    """A device or precision that is not there: exit code 2, the option named, nothing written; or it trains."""
    task, root = whole
    out = "_".join(option).strip("-")
    done = run(line(task, root, out, *option))
    assert "Traceback" not in done.stderr
    if done.returncode:
        assert done.returncode == 2 and option[0] in done.stderr.strip().splitlines()[-1]
        assert not (root / out).exists()
