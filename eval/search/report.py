"""The rows as tables, as JSON and as a picture: accuracy against cost."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from eval.columns import align, format_markdown
from eval.plots import write_plot
from eval.search.bench import Row
from eval.stages import report as stages
from eval.stages.bench import Outcome

COLOURS = {"searched": "tab:red", "published": "tab:blue", "hand-made": "tab:green", "random": "tab:gray"}


def make_rows(rows: list[Row]) -> list[list[str]]:
    """Head and a row for each, the best first: by real words where there are some, else by rendered ones."""
    sets = list(dict.fromkeys(name for row in rows for name in row.sets))
    real = ["all", *sets] if sets else []
    head = ["backbone", "from", "seed", "rendered", *real, "multiply-adds (M)", "parameters (M)", "images/s", "samples"]
    table = [head]
    for row in sorted(rows, key=merit, reverse=True):
        words = [_percent(row.accuracy), *(_percent(row.sets.get(name)) for name in sets)] if sets else []
        cost = (
            f"{row.multiply_adds:.0f}",
            f"{row.parameters / 1e6:.2f}",
            f"{row.images_per_s:.0f}",
            f"{row.samples:,}",
        )
        table.append([row.name, row.kind, str(row.seed), f"{row.rendered:.1f}", *words, *cost])
    return table


def merit(row: Row) -> float:
    """What a row is ranked by."""
    return row.rendered if row.accuracy is None else row.accuracy


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def say_who_won(rows: list[Row]) -> str:
    """A line on whether the best of the searched beat the best of the drawn; nothing where there are not both."""
    searched, drawn = ([row for row in rows if row.kind == kind] for kind in ("searched", "random"))
    if not searched or not drawn:
        return ""
    ours, theirs = (max(several, key=merit) for several in (searched, drawn))
    mean = sum(map(merit, drawn)) / len(drawn)
    found = (
        f"{ours.name} {merit(ours):.1f}; {len(drawn)} random ones {mean:.1f} in the mean, {merit(theirs):.1f} at best"
    )
    return f"{found} ({theirs.name}): {'searching' if merit(ours) > merit(theirs) else 'drawing'} wins"


def format_table(rows: list[Row], outcomes: list[Outcome]) -> str:
    """Both tables for a terminal."""
    parts = ["\n".join(align(make_rows(rows), "llr"))] if rows else []
    parts += [say_who_won(rows)] if rows else []
    parts += [stages.format_table(outcomes)] if outcomes else []
    return "\n\n".join(filter(None, parts))


def format_document(rows: list[Row], outcomes: list[Outcome], note: str) -> str:
    """Both tables in Markdown."""
    parts = [format_markdown(make_rows(rows)), say_who_won(rows)] if rows else []
    parts += [stages.format_document(outcomes)] if outcomes else []
    return "\n".join([*filter(None, parts), note, ""])


def format_json(rows: list[Row], outcomes: list[Outcome], problems: list[str]) -> str:
    """{"backbones": [a row each], "combinations": [an outcome each], "problems": [a line each]}."""
    document = {"backbones": [asdict(row) for row in rows], "combinations": [asdict(one) for one in outcomes]}
    return json.dumps({**document, "problems": problems}, indent=1)


def plot(rows: list[Row], path: str | Path) -> None:
    """Accuracy against multiply-adds, a point for each row."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    real = any(row.accuracy is not None for row in rows)
    words = "real words" if real else "rendered words"
    axes.set(xlabel="multiply-adds of the backbone, millions", ylabel=f"accuracy on {words}, %")
    for kind, colour in COLOURS.items():
        own = [row for row in rows if row.kind == kind]
        axes.scatter([row.multiply_adds for row in own], [merit(row) for row in own], c=colour, label=kind)
        for row in own:
            if kind != "random":
                place = row.multiply_adds, merit(row)
                axes.annotate(row.name, place, textcoords="offset points", xytext=(5, 3), fontsize=7)
    axes.set_xscale("log")
    axes.legend(fontsize=8)
    write_plot(figure, path)
