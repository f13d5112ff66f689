"""Jittor and PyTorch, from the same weights: one definition of a model must be one model."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from crnn_jt.backend import NAME
from tests.crnn_jt.parity import PARTS, outcome

ROOT = Path(__file__).parents[2]
if NAME != "jittor":
    pytest.skip("Jittor only: it compares itself with PyTorch", allow_module_level=True)


def interpreter() -> Path | None:
    """A Python with PyTorch: CRNN_TORCH_PYTHON, else the project's own environment for it."""
    path = Path(os.environ.get("CRNN_TORCH_PYTHON", ROOT / ".venv-torch/bin/python"))
    return path if path.is_file() else None


@pytest.fixture(scope="module")
def torch_outcomes(tmp_path_factory):
    """What PyTorch computes, in a process of its own: two frameworks in one would share OpenMP."""
    if interpreter() is None:
        pytest.skip("no Python with PyTorch: set CRNN_TORCH_PYTHON, or make .venv-torch")
    path = tmp_path_factory.mktemp("parity") / "torch.npz"
    line = [str(interpreter()), "-m", "tests.crnn_jt.parity", str(path)]
    done = subprocess.run(line, cwd=ROOT, env={**os.environ, "CRNN_BACKEND": "torch"}, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    with np.load(path) as arrays:
        return dict(arrays)


@pytest.mark.parametrize("parts", PARTS, ids="+".join)
def test_every_stage_agrees(parts, torch_outcomes):
    """Forward passes within 1e-4, five SGD steps within 1e-3, padded batches included."""
    prefix = "+".join(parts) + ":"
    theirs = {key.removeprefix(prefix): value for key, value in torch_outcomes.items() if key.startswith(prefix)}
    ours = outcome(parts)
    assert ours.keys() == theirs.keys()
    assert ours["losses"][-1] < ours["losses"][0]
    for name, value in ours.items():
        if name.endswith("running_var"):
            continue  # Jittor keeps the biased variance
        size = max(1.0, float(np.abs(theirs[name]).max()))
        bound = 1e-4 if name == "logits" else 1e-3
        assert float(np.abs(value - theirs[name]).max()) <= bound * size, name
