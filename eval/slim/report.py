"""The slim bench's rows as JSON, as a table and as a plot."""

from __future__ import annotations

import json
from dataclasses import asdict

from eval.columns import align, format_markdown
from eval.slim.bench import PUBLISHED, ROWS, Row

NOTE = (
    "published: PP-OCR's own model of this kind, on its own data (tables 6, 8, 13); its whole system, slimmed (table "
    "14): F 51.93 to 52.10, 55.7% smaller, 12.4% less time"
)


def make_rows(rows: list[Row], kind: str) -> list[list[str]]:
    """Head and a line for each row, with what was published of it."""
    sets = list(rows[0].scores) if rows else []
    score = rows[0].score if rows else "score"
    published = PUBLISHED.get(kind, {})
    scored = [f"{score}, {name}" for name in sets]
    lines = [["model", "MB", "parameters", *scored, "ms", "on", "published MB", "published"]]
    for one in rows:
        size, value = published.get(one.row, (None, None))
        told = [f"{number:.2f}" if number is not None else "-" for number in (size, value)]
        scores = [f"{one.scores[name]:.2f}" for name in sets]
        cells = [ROWS[one.row], f"{one.size / 1e6:.2f}", f"{one.parameters:,}", *scores]
        lines.append([*cells, f"{one.milliseconds:.2f}", one.engine, *told])
    return lines


def format_table(rows: list[Row], kind: str) -> str:
    """For a terminal."""
    return "\n".join([*align(make_rows(rows, kind)), NOTE])


def format_document(rows: list[Row], kind: str) -> str:
    """In Markdown."""
    return f"{format_markdown(make_rows(rows, kind))}\n{NOTE}\n"


def format_json(rows: list[Row], problems: list[str], about: dict) -> str:
    """{"about", "rows": [a row each], "problems": [a line each]}."""
    return json.dumps({"about": about, "rows": [asdict(one) for one in rows], "problems": problems}, indent=1)


def read_rows(text: str, about: dict) -> dict[str, Row]:
    """The rows of a JSON document that is about the same, by name; none of another one."""
    try:
        document = json.loads(text)
        return {one["row"]: Row(**one) for one in document["rows"]} if document["about"] == about else {}
    except (ValueError, KeyError, TypeError):
        return {}


def plot(rows: list[Row]):
    """A figure: the mean score by the file's size, a point for each row."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for one in rows:
        mean = sum(one.scores.values()) / len(one.scores)
        axes.plot(one.size / 1e6, mean, "o")
        axes.annotate(ROWS[one.row], (one.size / 1e6, mean), xytext=(6, 4), textcoords="offset points")
    axes.set(xlabel="MB", ylabel=f"{rows[0].score}, %", xlim=(0, None))
    return figure
