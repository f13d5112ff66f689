"""`doctor`: every line ends in OK or in what to do."""

from __future__ import annotations

import json

import pytest

from crnn_jt.backend import NAME
from crnn_jt.commands import doctor
from data_tools.errors import UserError

NAMES = {"python", "compiler", "python headers", "oneDNN", "CUDA", "MPI", "cache", "jittor", "fast kernels"}


@pytest.mark.skipif(NAME != "jittor", reason="Jittor only: it starts Jittor")
def test_this_machine_is_well(crnn_jt):
    """The tests run here, so nothing that is needed may be missing."""
    code, out, _ = crnn_jt("doctor", "--json")
    found = {finding["what"]: finding for finding in json.loads(out)}
    assert code == 0 and found.keys() >= NAMES
    assert found["jittor"]["ok"] and "computes" in found["jittor"]["found"]


def test_what_is_missing_says_what_to_do(crnn_jt, monkeypatch):
    """A missing compiler is one clear line, and the exit code is 1."""

    def absent():
        raise UserError("g++: not found; install it")

    monkeypatch.setattr(doctor.runtime, "find_compiler", absent)
    monkeypatch.setattr(doctor, "CHECKS", (doctor._compiler, doctor._mpi))
    code, out, _ = crnn_jt("doctor")
    assert code == 1 and "MISSING: g++: not found; install it" in out.splitlines()[0]
    assert len(out.splitlines()) == 2
