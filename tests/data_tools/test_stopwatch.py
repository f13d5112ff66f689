"""Where the time goes: each stage its own."""

from __future__ import annotations

from data_tools import stopwatch
from data_tools.stopwatch import Stopwatch, stage


def test_what_is_inside_a_stage_is_not_counted_twice(monkeypatch):
    """A clock that goes on by 1, 2, 4 … each time it is asked tells every piece apart."""
    times = iter([0, 1, 3, 7, 15, 31])
    monkeypatch.setattr(stopwatch, "_now", lambda: 2 * (float(next(times)),))
    with Stopwatch() as watch, stage("detector"), stage("network"):
        pass
    spent = {path: each.wall for path, each in watch.rows()}
    assert spent == {(): 1 + 16, ("detector",): 2 + 8, ("detector", "network"): 4}
    assert [each.processor for _, each in watch.rows()] == [17, 10, 4]


def test_nothing_is_timed_where_nobody_asks():
    with Stopwatch() as watch:
        pass
    with stage("later"):
        pass
    assert [path for path, _ in watch.rows()] == [()]
