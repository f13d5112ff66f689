"""The figures as text: a table laid out like Table 1, the published rows first, and what is missing below it."""

from __future__ import annotations

from eval.protocols import COLUMNS, PUBLISHED, Protocol, family
from eval.words import SetResult


def rows(results: list[SetResult], title: str) -> tuple[list[tuple[str, str]], list[tuple[str, list[str]]]]:
    """The columns (set, lexicon) and the rows (name, cells) of the table; a cell without a figure is `-`."""
    keys = [(result, column) for result in results for column in COLUMNS if column in result.scores]
    table = []
    for published in PUBLISHED:
        figures = [published.accuracy.get((family(result.name), column)) for result, column in keys]
        if any(figure is not None for figure in figures):
            table.append((published.name, [_cell(figure) for figure in figures]))
            sizes = [published.images.get(family(result.name)) for result, _ in keys]
            table.append(("  images", ["-" if f is None else str(size) for f, size in zip(figures, sizes)]))
    figures = [result.scores[column] for result, column in keys]
    table.append((title, [_cell(figure["accuracy"]) for figure in figures]))
    table.append(("  95% interval", ["{:.1f}-{:.1f}".format(*figure["interval"]["accuracy"]) for figure in figures]))
    table.append(("  1-NED", [_cell(figure["ned"]) for figure in figures]))
    table.append(("  CER", [_cell(figure["cer"]) for figure in figures]))
    table.append(("  not in lexicon", [_cell(figure.get("outside")) for figure in figures]))
    table.append(("  images", [str(figure["n"]) for figure in figures]))
    return [(result.name, column) for result, column in keys], table


def _cell(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.1f}"


def text(results: list[SetResult], protocol: Protocol, title: str, problems: list[str]) -> str:
    """The whole report for a terminal."""
    columns, table = rows(results, title)
    header = [("", [name for name, _ in columns]), ("accuracy, %", [column for _, column in columns])]
    lines = [f"protocol {protocol.name}: {protocol.summary}", "", *_aligned(_without_repeats(header), table)]
    lines += ["", *calibration(results), *notes(results, problems)]
    return "\n".join(lines)


def calibration(results: list[SetResult]) -> list[str]:
    """One line a set: the expected calibration error of the lexicon-free confidence."""
    scored = [result for result in results if "none" in result.scores]
    said = ", ".join(f"{result.name} {result.scores['none']['calibration_error']:.1f}" for result in scored)
    return [f"expected calibration error of the confidence, %: {said}"] if said else []


def notes(results: list[SetResult], problems: list[str]) -> list[str]:
    """What is missing and why, one line each."""
    missing = [
        f"{result.name} {column}: left out, {why}" for result in results for column, why in result.left_out.items()
    ]
    drawn = [
        f"{result.name} {column}: lexicons {figures['lexicon']['source']}"
        for result in results
        for column, figures in result.scores.items()
        if column in ("50", "1k")
    ]
    return [*drawn, *missing, *problems]


def _without_repeats(header):
    names = header[0][1]
    shown = [name if i == 0 or name != names[i - 1] else "" for i, name in enumerate(names)]
    return [(header[0][0], shown), header[1]]


def _aligned(header, table) -> list[str]:
    body = [*header, *table]
    first = max(len(name) for name, _ in body)
    widths = [max(len(cells[i]) for _, cells in body) for i in range(len(body[0][1]))]
    return [f"{name:<{first}}  " + "  ".join(f"{c:>{w}}" for c, w in zip(cells, widths)) for name, cells in body]
