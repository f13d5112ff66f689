"""The rows as text, as Markdown and as a curve."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from eval.columns import align, format_markdown
from eval.plots import write_plot
from eval.resolution.bench import Figures
from eval.resolution.plan import PUBLISHED, SELECTORS, STUDENTS, TEACHER

HEAD = ["", "detection", "words, F", "end to end, F", "G multiply-adds", "ms", "photographs/s", "scales, %"]


def make_rows(rows: Sequence[Figures]) -> list[list[str]]:
    """Head, a row each, and the paper's rows."""
    found = [HEAD]
    for row in rows:
        figures = (f"{row.detection:.1f}", f"{row.words:.1f}", f"{row.end_to_end:.1f}", f"{row.giga:.2f}")
        scales = ", ".join(f"{float(scale):g}: {share:.0f}" for scale, share in row.scales.items())
        found.append([row.name, *figures, f"{row.ms:.0f}", f"{1000 / max(row.ms, 1e-3):.1f}", scales])
    for name, score, giga in PUBLISHED:
        found.append(
            [
                f"published: {name} (IC15, general lexicon, GFLOPs)",
                "-",
                "-",
                f"{score:.1f}",
                f"{giga:.1f}",
                "-",
                "-",
                "-",
            ]
        )
    return found


def format_table(rows: Sequence[Figures]) -> str:
    """The rows for a terminal."""
    return "\n".join(align(make_rows(rows), "lrrrrrrl"))


def format_document(rows: Sequence[Figures]) -> str:
    """The rows in Markdown."""
    return format_markdown(make_rows(rows))


def draw_curve(rows: Sequence[Figures], path: str | Path) -> None:
    """F end to end against multiply-adds: a line for each student over its scales, a dot for each selector in the
    colour of the student whose scales it chooses.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    lines: dict[str, list[Figures]] = {}
    for row in rows:
        lines.setdefault(row.name.rpartition(", ")[0], []).append(row)
    for name, own in lines.items():
        own = sorted(own, key=lambda row: row.giga)
        student = SELECTORS.get(name, name)
        look = {"marker": "D", "linestyle": "", "markeredgecolor": "black"} if name in SELECTORS else {"marker": "o"}
        places = [row.giga for row in own], [row.end_to_end for row in own]
        axes.plot(*places, label=name, color=f"C{[TEACHER, *STUDENTS].index(student)}", **look)
        if name in (TEACHER, *SELECTORS):  # students have the teacher's scales
            for row, *place in zip(own, *places):
                _name_point(axes, row.name.rpartition(", ")[2], place, above=name in SELECTORS)
    axes.set(xlabel="G multiply-adds a photograph", ylabel="words found and read right, F")
    axes.set_xlim(left=0)
    axes.margins(y=0.1)
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, 0), max(high, 1))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    write_plot(figure, path)


def _name_point(axes, text: str, place: Sequence[float], above: bool) -> None:
    """Writes a scale to the lower right of a point, or the weight of the cost to its upper left."""
    side = (
        {"xytext": (-5, 5), "ha": "right", "va": "bottom"} if above else {"xytext": (4, -5), "ha": "left", "va": "top"}
    )
    axes.annotate(text.replace("gamma", "γ"), place, textcoords="offset points", fontsize=8, **side)
