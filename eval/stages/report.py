"""The stages bench's outcomes as JSON, as a table and as Markdown."""

from __future__ import annotations

import json
from dataclasses import asdict

from eval.columns import align, format_markdown
from eval.stages.bench import PUBLISHED, Outcome
from eval.stages.smoke import Smoke


def make_rows(outcomes: list[Outcome]) -> list[list[str]]:
    """Head and a row for each outcome, with the published accuracy."""
    rows = [["combination", "accuracy", "published", "1-NED", "loss", "parameters", "images/s"]]
    for one in outcomes:
        published = PUBLISHED.get(one.combination)
        cells = (f"{one.accuracy:.2f}", f"{published:.2f}" if published else "-", f"{one.ned:.1f}", f"{one.loss:.3f}")
        rows.append([one.combination, *cells, f"{one.parameters:,}", f"{one.images_per_s:.1f}"])
    return rows


def format_table(outcomes: list[Outcome]) -> str:
    """The rows for a terminal."""
    return "\n".join(align(make_rows(outcomes)))


def format_document(outcomes: list[Outcome]) -> str:
    """The rows in Markdown."""
    return format_markdown(make_rows(outcomes))


def format_json(outcomes: list[Outcome], problems: list[str]) -> str:
    """{"combinations": [an outcome each], "problems": [a line each]}."""
    return json.dumps({"combinations": [asdict(one) for one in outcomes], "problems": problems}, indent=1)


def format_smoke(one: Smoke) -> str:
    """One line of the smoke test."""
    figures = f"{one.combination:<38}{one.right:>4}/{one.words}  {one.steps:>5} steps  loss {one.loss:.3f}"
    return f"{figures}  {one.cpu_s:.0f} s CPU" + (f"  {one.reason}" if one.reason else "")
