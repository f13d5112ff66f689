"""Data-parallel training where ranks have unequal shares; equal ones: test_tasks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import yaml

from crnn_jt.backend import NAME
from crnn_jt.spec import to_dict
from crnn_jt.weights import load_weights
from tests.crnn_jt import tiny

if NAME != "jittor":
    pytest.skip("Jittor only: the ranks are those of its MPI support", allow_module_level=True)
if shutil.which("mpirun") is None or shutil.which(os.environ.get("mpicc_path", "mpicc")) is None:
    pytest.skip("no mpirun and mpicc: apt install openmpi-bin libopenmpi-dev", allow_module_level=True)

ENVIRONMENT = {
    **os.environ,
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMP_NUM_THREADS": "1",
}


UNEVEN = {3: "aaaaaa"}
NOTHING = {3: "aaaaaa", 4: "abcdefgh", 5: "abcdefgh"}


def train(tmp_path, name: str, ranks: int, labels: dict[int, str]) -> list[dict]:
    """Six SGD steps; the lines of metrics.jsonl."""
    if not (tmp_path / "set").exists():
        tiny.write_set(tmp_path / "set", 12, labels=labels)
    settings = tiny.config(tiny.model(max_length=6), steps=6, validate_every=6, optimizer="sgd", augment=False)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(to_dict(settings)))
    line = [sys.executable, "-m", "crnn_jt", "train", "--config", tmp_path / "tiny.yaml", "--out", tmp_path / name]
    line += ["--train", tmp_path / "set", "--val", tmp_path / "set"]
    prefix = ["mpirun", "-np", str(ranks)] if ranks > 1 else []
    done = subprocess.run(
        [*prefix, *map(str, line)], env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=900
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(text) for text in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(("labels", "within"), [(UNEVEN, 1e-3), (NOTHING, 3e-2)], ids=["uneven", "nothing"])
def test_two_ranks_agree_with_one_process(labels, within, tmp_path):
    """The same losses and weights, one writer, the whole validation set. Where labels cannot be emitted, a rank's
    share may be smaller, or nothing: its samples count as many as they are (a stand-in for none, in batch statistics).
    """
    one, two = (train(tmp_path, name, ranks, labels) for name, ranks in (("one", 1), ("two", 2)))
    assert [line["step"] for line in two] == [line["step"] for line in one]
    losses = [[line["loss"] for line in lines if "loss" in line] for lines in (one, two)]
    np.testing.assert_allclose(losses[1], losses[0], rtol=within)
    assert two[-1]["n"] == one[-1]["n"] == 12
    first, second = (load_weights(tmp_path / name / "last.safetensors").arrays for name in ("one", "two"))
    for key, value in first.items():
        np.testing.assert_allclose(second[key], value, atol=within * max(1.0, float(np.abs(value).max())), err_msg=key)
