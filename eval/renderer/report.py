"""The renderer bench's outcomes as JSON, as a table and as Markdown."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from eval.columns import align, format_markdown
from eval.renderer.bench import VARIANTS, Outcome


def make_rows(outcomes: list[Outcome]) -> list[list[str]]:
    """Head and a row for each variant: accuracy by set and over all, and how far it is from the first variant's."""
    rows = [["variant", *outcomes[0].sets, "all", "change"]]
    for one in outcomes:
        cells = [f"{accuracy:.1f}" for accuracy in one.sets.values()]
        rows.append([one.variant, *cells, f"{one.accuracy:.1f}", f"{one.accuracy - outcomes[0].accuracy:+.1f}"])
    return rows


def format_table(outcomes: list[Outcome]) -> list[str]:
    """The rows as lines for a terminal."""
    return align(make_rows(outcomes))


def format_document(outcomes: list[Outcome], note: str) -> str:
    """The rows as a Markdown section, the changes of each variant and the widest interval with them."""
    head, *rows = make_rows(outcomes)
    described = [[row[0], _describe_changes(VARIANTS[row[0]]), *row[1:]] for row in rows]
    text = format_markdown([["variant", "what it changes", *head[1:]], *described])
    widths = [(high - low) / 2 for one in outcomes for low, high in one.intervals.values()]
    interval = f" 95% intervals: ±{max(widths):.1f} points on a set at most." if widths else ""
    return f"{text}\nWord accuracy in % (0-9a-z), no lexicon; {note}.{interval}\n"


def _describe_changes(changes: dict[str, Any]) -> str:
    return ", ".join(f"`{name}` {value}" for name, value in changes.items()) or "nothing: the recipe as it is"


def format_json(outcomes: list[Outcome], problems: list[str]) -> str:
    """{"variants": [an outcome each], "problems": [a line each]}."""
    return json.dumps({"variants": [asdict(one) for one in outcomes], "problems": problems}, indent=1)


def format_variants() -> str:
    """The variants and what they change in the recipe, a line each."""
    rows = [(name, str(changes or "the recipe as it is")) for name, changes in VARIANTS.items()]
    return "\n".join(align(rows, "ll"))
