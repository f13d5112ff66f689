"""A table's results as JSON, as text, as Markdown and as a plot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from eval.columns import align, format_markdown
from eval.plots import write_plot
from eval.strategies.bench import Outcome, Result, is_difference, widest_spread
from eval.strategies.tables import TABLES, Table

Published = dict[str, float | None]


def make_rows(table: Table, results: Sequence[Result]) -> list[list[str]]:
    """Head and a row for each row of the table: ours, then what was published."""
    sets, spread = list(results[0].real), widest_spread(results)
    head = ["row", "what", table.measure, "spread", "change", *sets, "MB", "M mult-adds", "CPU ms"]
    rows = [[*head, "published", "its change", "its MB", "its ms"]]
    published = {result.row.name: result.row.published for result in results}
    for number, result in enumerate(results):
        first, theirs = result.outcomes[0], published[result.row.name]
        other = results[number - 1 if table.cumulative else 0].row if number else None
        known = other is not None and None not in (theirs.score, other.published.score)
        ours = [f"{result.mean:.2f}", _number(result.spread), _describe_change(result, spread)]
        cost = [f"{first.megabytes:.2f}", f"{first.multiply_adds / 1e6:.1f}", f"{first.milliseconds:.1f}"]
        change = f"{theirs.score - other.published.score:+.2f}" if known else "-"
        beside = [_number(theirs.score), change, _number(theirs.megabytes), _number(theirs.milliseconds)]
        real = [f"{score:.1f}" for score in result.real.values()]
        rows.append([result.row.name, result.row.what, *ours, *real, *cost, *beside])
    return rows


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:g}" if value == round(value, 1) else f"{value:.2f}"


def _describe_change(result: Result, spread: float | None) -> str:
    if result.change is None:
        return "-"
    return f"{result.change:+.2f}" if is_difference(result, spread) is not False else "no difference"


def describe(table: Table, results: Sequence[Result], note: str) -> str:
    """What stands below a table."""
    spread, seeds = widest_spread(results), max(len(result.outcomes) for result in results)
    lines = [f"Changes are from the {'row before' if table.cumulative else 'first row'}; {note}."]
    if spread is None:
        lines.append("One seed: nobody can say which of the changes are chance.")
    else:
        lines.append(f"Spread over {seeds} seeds: {spread:.2f} points at most; a change within it is no difference.")
    lines.append("Published figures are of other data and processors.")
    return " ".join([*lines, *filter(None, [table.note])])


def format_table(table: Table, results: Sequence[Result], note: str) -> str:
    """The rows for a terminal."""
    title = f"table {table.number}: {table.title}"
    return "\n".join([title, *align(make_rows(table, results), "llr"), describe(table, results, note)])


def format_document(table: Table, results: Sequence[Result], note: str) -> str:
    """The rows in Markdown."""
    title = f"### PP-OCR's table {table.number}: {table.title}"
    return f"{title}\n\n{format_markdown(make_rows(table, results))}\n{describe(table, results, note)}\n"


def format_json(table: Table, outcomes: Sequence[Outcome], results: Sequence[Result], facts: dict) -> str:
    """{facts…, "table", "title", "measure", "spread", "rows": [{"row", "what", "mean", "spread", "change",
    "difference", "real", "published"}], "outcomes": [an outcome each]}.
    """
    spread = widest_spread(results)
    rows = [
        {
            "row": result.row.name,
            "what": result.row.what,
            "mean": result.mean,
            "spread": result.spread,
            "change": result.change,
            "difference": is_difference(result, spread),
            "real": result.real,
            "published": asdict(result.row.published),
        }
        for result in results
    ]
    document = {**facts, "table": table.number, "title": table.title, "measure": table.measure, "spread": spread}
    return json.dumps({**document, "rows": rows, "outcomes": [asdict(one) for one in outcomes]}, indent=1)


def plot(table: Table, results: Sequence[Result], path: str | Path) -> None:
    """Of a cumulative table the score row by row, with what was published; of others the score against megabytes, and
    against milliseconds a picture. Bars show the spread over seeds.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), layout="constrained")
    figure.suptitle(f"PP-OCR's table {table.number}: {table.title}", fontsize=11)
    if table.cumulative:
        _draw_steps(figure.subplots(), results)
    else:
        for axes, name, label in zip(figure.subplots(1, 2), ("megabytes", "milliseconds"), ("megabytes", "CPU ms")):
            _draw_costs(axes, results, name)
            axes.set_xlabel(label)
    for axes in figure.axes:
        axes.set_ylabel(f"{table.measure}, %")
    write_plot(figure, path)


def _draw_steps(axes, results: Sequence[Result]) -> None:
    places = range(len(results))
    axes.errorbar(places, [result.mean for result in results], _bars(results), fmt="o-", capsize=3, label="here")
    published = [np.nan if each.row.published.score is None else each.row.published.score for each in results]
    axes.plot(places, published, "s--", color="grey", label="published, on other data")
    axes.set_xticks(places, [f"{result.row.name}\n{result.row.what}" for result in results], fontsize=8)
    axes.legend(fontsize=8)


def _draw_costs(axes, results: Sequence[Result], cost: str) -> None:
    for result in results:
        x = getattr(result.outcomes[0], cost)
        axes.errorbar(x, result.mean, _bars([result]), fmt="o", capsize=3)
        axes.annotate(result.row.name, (x, result.mean), xytext=(5, 4), textcoords="offset points", fontsize=8)
    axes.margins(0.15)


def _bars(results: Sequence[Result]) -> np.ndarray:
    """How far the seeds lie below and above the means, (2, rows)."""
    scores = [[one.score for one in result.outcomes] for result in results]
    pairs = [(result.mean - min(own), max(own) - result.mean) for result, own in zip(results, scores)]
    return np.array(pairs).T.clip(0)


def format_tables() -> str:
    """The tables and their rows, a line each."""
    lines = []
    for table in TABLES:
        lines += ["", f"{table.number}: {table.title} (--config {table.config})"]
        lines += align([(f"  {row.name}", row.what, _number(row.published.score)) for row in table.rows], "llr")
    return "\n".join(lines[1:])
