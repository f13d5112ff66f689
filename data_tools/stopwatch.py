"""Where the time goes: stages of a program, timed by the wall clock and the processor's while a `Stopwatch` runs.

>>> with Stopwatch() as watch:
...     with stage("decode"):
...         open_file(path)
>>> watch.rows()[0]
(('decode',), Spent(wall=0.012, processor=0.011))
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_running: Stopwatch | None = None


@dataclass
class Spent:
    """Seconds by the wall clock, and of all threads of this process together."""

    wall: float = 0.0
    processor: float = 0.0


class Stopwatch:
    """Times the stages of one thread while it is open; what is done in a stage inside another is that one's time."""

    def __init__(self):
        self.spent: defaultdict[tuple[str, ...], Spent] = defaultdict(Spent)
        self._path: tuple[str, ...] = ()
        self._mark = (0.0, 0.0)

    def __enter__(self) -> Stopwatch:
        global _running
        self._mark, _running = _now(), self
        return self

    def __exit__(self, *_) -> None:
        global _running
        self._pass_to(())
        _running = None

    def rows(self) -> list[tuple[tuple[str, ...], Spent]]:
        """Each stage by the names of those around it and its own, () what is in none; the longest first."""
        return sorted(self.spent.items(), key=lambda row: -row[1].processor)

    def _pass_to(self, path: tuple[str, ...]) -> tuple[str, ...]:
        """From now on time belongs to this stage; returns to which it did."""
        now, before = _now(), self._path
        self.spent[before].wall += now[0] - self._mark[0]
        self.spent[before].processor += now[1] - self._mark[1]
        self._path, self._mark = path, now
        return before


@contextmanager
def stage(name: str) -> Iterator[None]:
    """What is done in it belongs to this stage; nothing where no stopwatch runs."""
    watch = _running
    if watch is None:
        yield
        return
    outer = watch._pass_to((*watch._path, name))
    try:
        yield
    finally:
        watch._pass_to(outer)


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()
