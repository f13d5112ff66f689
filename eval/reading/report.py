"""The reading bench's rows as lines, printed one by one as they are measured."""

from __future__ import annotations

from eval.columns import align
from eval.reading.bench import Row

HEADS = ("way", "workers", "warm/s", "(least-greatest)", "cold/s", "CPU us", "open s")
LEAST = (19, 7, 6, 17, 6, 6, 6)
"""Widths of the columns, for 99,999 samples a second."""


def make_head() -> str:
    """The heads of the columns."""
    return align([HEADS], least=LEAST)[0]


def format_row(row: Row) -> str:
    """One line; `-` where a way has no such figure."""
    cold, cost = (f"{value:.0f}" if value else "-" for value in (row.cold, row.cpu_us))
    spread = f"({row.least:.0f}-{row.greatest:.0f})"
    cells = (row.way, str(row.workers), f"{row.warm:.0f}", spread, cold, cost, f"{row.open_s:.3f}")
    return align([cells], least=LEAST)[0]
