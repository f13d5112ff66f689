"""Calls timed one by one, by the wall clock or the processor's, in turns whose rates can be compared."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def repeat(call: Callable[[], object], seconds: float, least: int, clock: Callable[[], float]) -> list[float]:
    """Calls for `seconds` of the wall clock and at least `least` times; the time of each call by `clock`."""
    times, end = [], time.perf_counter() + seconds
    while len(times) < least or time.perf_counter() < end:
        start = clock()
        call()
        times.append(clock() - start)
    return times


@dataclass
class Times:
    """The calls of one engine at one batch: seconds of each, by turn; `first` is the first call, compilation included;
    `peak_mb` the most memory its process had held by then.
    """

    batch: int
    first: float = 0.0
    turns: list[list[float]] = field(default_factory=list)
    peak_mb: int = 0

    @property
    def rates(self) -> np.ndarray:
        """Images a second of each turn, (turns,)."""
        return np.array([self.batch * len(calls) / max(sum(calls), 1e-9) for calls in self.turns])

    def as_json(self, reference: Times | None) -> dict[str, float]:
        """Images a second: mean and deviation over the turns, and median; the ratio to the reference is the median of
        the turns' own, since neighbours in time share what else the machine did.
        """
        rates = self.rates
        figures = {
            "images_per_s": round(float(rates.mean()), 2),
            "deviation": round(float(rates.std()), 2),
            "median": round(float(np.median(rates)), 2),
            "repeats": len(rates),
            "first_call_s": round(self.first, 3),
            "peak_mb": self.peak_mb,
        }
        if reference is not None:
            figures["ratio"] = round(float(np.median(rates / reference.rates)), 3)
        return figures
