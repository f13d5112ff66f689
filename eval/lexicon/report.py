"""The lexicon bench's rows as lines and as curves."""

from __future__ import annotations

from pathlib import Path

from eval.lexicon.bench import SEARCHES
from eval.plots import write_plot

PUBLISHED_DELTA = 3  # the edit distance of the CRNN paper's 50k column


def format_row(row: dict) -> str:
    """One line of what `bench.measure` yields; lines of one run stand aligned."""
    delta = "exact" if row["delta"] is None else f"delta {row['delta']}"
    return (
        f"{row['size']:>7} words  {delta:<7}  {row['search']:<10}  {row['ms_a_word']:>9.3f} ms/word"
        f"  slowest {row['ms_slowest']:>9.3f}  accuracy {row['accuracy']:5.1f}  fallbacks {row['fallbacks']:5.1f}"
        f"  build {row['build_s']:.3f} s  ({row['images']} images)"
    )


def plot(rows: list[dict], path: str | Path) -> None:
    """Time a word against lexicon size, a panel for the exact search and one for delta 3 (or the largest asked)."""
    from matplotlib.figure import Figure

    deltas = _choose_panels(rows)
    figure = Figure(figsize=(6 * len(deltas), 4.5), layout="constrained")
    for axes, delta in zip(figure.subplots(1, len(deltas), squeeze=False)[0], deltas):
        for search in SEARCHES:
            curve = [
                (row["size"], row["ms_a_word"]) for row in rows if (row["search"], row["delta"]) == (search, delta)
            ]
            if curve:
                axes.loglog(*zip(*curve), marker="o", label=search)
        title = "exact" if delta is None else f"delta {delta}"
        axes.set(title=title, xlabel="words", ylabel="ms a word (processor time)")
        axes.grid(True, alpha=0.3)
        axes.legend()
    write_plot(figure, path)


def _choose_panels(rows: list[dict]) -> list[int | None]:
    """The edit distances that get a panel, None for the exact search."""
    limits = sorted({row["delta"] for row in rows if row["delta"] is not None})
    panels = [None] if any(row["delta"] is None for row in rows) else []
    if limits:
        panels.append(PUBLISHED_DELTA if PUBLISHED_DELTA in limits else limits[-1])
    return panels
