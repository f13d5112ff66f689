"""The figures as text: a row a set, and what is missing below the table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eval.columns import align
from eval.photos.bench import SetResult
from eval.photos.protocols import COLUMNS


def make_rows(results: Sequence[SetResult]) -> list[list[str]]:
    """Two rows of heads and a row a set; a figure that a set cannot tell is `-`."""
    columns = [column for column in COLUMNS if any(column in each.measured.scores.end_to_end for each in results)]
    heads = ["", "", "detection (IoU 0.5)", "", "", "DetEval", "", "", "words", "", ""]
    names = ["set", "photographs", *["recall", "precision", "h-mean"] * 2, "recall", "precision", "F"]
    ends = ["end to end, F", *[""] * (len(columns) - 1)]
    rows = [[*heads, *ends, ""], [*names, *columns, "CER"]]
    for result in results:
        rows.append(_make_row(result.name, result, result.measured.values(), columns))
        if result.peer:
            rows.append(_make_row("  the peer", result, result.peer.values(), columns))
    return rows


def _make_row(name: str, result: SetResult, values: dict[str, Any], columns: Sequence[str]) -> list[str]:
    figures = [values[part][name] for part in ("detection", "deteval") for name in ("recall", "precision", "hmean")]
    figures += [values["words"][name] for name in ("recall", "precision", "f1")]
    measure = "recall" if result.family.partial else "hmean"
    figures += [values["end_to_end"].get(column, {}).get(measure) for column in columns]
    return [name, str(values["n"]), *map(format_figure, [*figures, values["cer"]])]


def format_figure(figure: float | None) -> str:
    """A percentage; - where there is none."""
    return "-" if figure is None else f"{figure:.1f}"


def list_notes(results: Sequence[SetResult], problems: Sequence[str]) -> list[str]:
    """How sets are judged that are not judged as the others, and what is missing and why, one line each."""
    notes = []
    for result in results:
        if result.family.partial:
            notes.append(f"{result.name}: only some words are annotated; judged by recall, end to end too")
        if result.family.unit == "lines":
            notes.append(f"{result.name}: its regions are lines, and so is what is compared with them")
        if result.measured.skipped:
            count, first = len(result.measured.skipped), result.measured.skipped[0]
            notes.append(f"{result.name}: {count} photographs cannot be read and are left out, such as {first}")
        if result.seconds:
            own, peer, ratio = (result.times[name] for name in ("own", "peer", "ratio"))
            spent = f"{1000 * own:.0f} ms a photograph, the peer {1000 * peer:.0f} (medians)"
            notes.append(f"{result.name}: {spent}; it takes {ratio:.2f} times as long (median of the photographs)")
        notes += [f"{result.name} {column}: left out, {why}" for column, why in result.left_out.items()]
    return [*notes, *problems]


def format_report(results: Sequence[SetResult], title: str, problems: Sequence[str]) -> str:
    """The whole report for a terminal."""
    lines = [title, "", *align(make_rows(results))]
    notes = list_notes(results, problems)
    return "\n".join([*lines, "", *notes] if notes else lines)
