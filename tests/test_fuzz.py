"""The fuzz target itself: a fault is found, kept and can be run again; a refusal is none."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import pytest

from data_tools.errors import UserError
from tests import fuzz
from tests.fuzz_files import KINDS


def refuse(folder):
    raise UserError("no")


def refuse_at_length(folder):
    raise UserError("no\nno")


def fail(folder):
    raise KeyError("x")


def turn(folder):
    while True:
        pass


def test_a_case_without_end_is_a_fault_by_its_own_time(monkeypatch):
    """A machine that does other things is none."""
    monkeypatch.setattr(fuzz, "LIMIT", 0.05)
    kind = replace(KINDS["semantic"], use=turn)
    assert "0.05 seconds of processor time" in fuzz.run_case(kind, kind.make())


@pytest.mark.parametrize(
    ("use", "said"),
    [(refuse, ""), (refuse_at_length, "a refusal of several lines"), (fail, "KeyError"), (lambda folder: None, "")],
)
def test_anything_but_a_result_or_a_refusal_is_a_fault(use, said):
    kind = replace(KINDS["semantic"], use=use)
    found = fuzz.run_case(kind, kind.make())
    assert said in found and bool(found) == bool(said)


def test_a_case_follows_from_its_seed_and_number():
    """Else nobody could run it again."""
    kind, files = KINDS["gt"], KINDS["gt"].make()
    cases = [fuzz.make_case(kind, files, seed, "gt", number) for seed, number in ((1, 0), (1, 0), (1, 1), (2, 0))]
    assert cases[0] == cases[1] and files not in cases and cases[0] != cases[2] and cases[0] != cases[3]
    assert len({fuzz.mutate(b"label", b"other", random.Random(n)) for n in range(50)}) > 30


def test_files_as_they_are_made_are_read(tmp_path):
    """Mutations of what is refused from the start would find nothing."""
    for name, kind in KINDS.items():
        if name == "pae":  # verovio takes seconds to load
            continue
        files = kind.make()
        alone = [{path: files[path]} for path in files] if name == "pictures" else [files]
        for case in alone:
            folder = tmp_path / f"{name}{len(case)}{next(iter(case))}".replace("/", "-")
            fuzz.write(folder, case)
            try:
                kind.use(folder)
            except UserError as refusal:  # of foreign weights, whose few arrays are no network
                assert name == "pickles" and "not a published CRNN layout" in str(refusal), (name, refusal)


def test_a_round_runs_in_a_process_of_its_own():
    count, faults = fuzz.run_round("affixes", 1, range(3), time.monotonic() + 60)
    assert count == 3 and not faults
