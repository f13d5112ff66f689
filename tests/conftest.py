"""What all tests share: which interpreter-wide choices hold, and that nothing skips where everything is installed."""

from __future__ import annotations

import os
import re

import pytest

EXPECTED = re.compile(r"^(Skipped: )?((Jittor|PyTorch)('s| only)|(compiled, but )?this processor has no )")
"""Skips that are right on a machine with everything: what belongs to the other backend, or to other processors."""

_unexpected: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _note(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    _note(report)


def _note(report) -> None:
    if report.skipped and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2]
        if not EXPECTED.match(reason):
            _unexpected.append(f"{report.nodeid}: {reason}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """With CRNN_NO_SKIPS=1, as in `.ci/run`, an unexpected skip fails the run."""
    if os.environ.get("CRNN_NO_SKIPS") == "1" and _unexpected and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter) -> None:
    if os.environ.get("CRNN_NO_SKIPS") == "1":
        for line in _unexpected:
            terminalreporter.write_line(f"unexpected skip: {line}", red=True)
