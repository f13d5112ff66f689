"""The figures as text: a table laid out like Table 1, the published rows first, and what is missing below it."""

from __future__ import annotations

from eval.columns import align
from eval.words.protocols import COLUMNS, Protocol, list_published
from eval.words.results import SetResult


def make_rows(
    results: list[SetResult], protocol: Protocol, title: str
) -> tuple[list[tuple[str, str]], list[tuple[str, list[str]]]]:
    """The columns (set, lexicon) and the rows (name, cells) of the table; a cell without a figure is `-`."""
    keys = [(result, column) for result in results for column in COLUMNS if column in result.scores]
    table = []
    for published in list_published(protocol):
        figures = [published.accuracy.get((protocol.name_of(result.name), column)) for result, column in keys]
        if any(figure is not None for figure in figures):
            table.append((published.name, [_format_figure(figure) for figure in figures]))
            sizes = [published.images.get(protocol.name_of(result.name)) for result, _ in keys]
            table.append(("  images", ["-" if f is None else str(size) for f, size in zip(figures, sizes)]))
    figures = [result.scores[column] for result, column in keys]
    table.append((title, [_format_figure(figure["accuracy"]) for figure in figures]))
    table.append(("  95% interval", ["{:.1f}-{:.1f}".format(*figure["interval"]["accuracy"]) for figure in figures]))
    table.append(("  1-NED", [_format_figure(figure["ned"]) for figure in figures]))
    table.append(("  CER", [_format_figure(figure["cer"]) for figure in figures]))
    table.append(("  not in lexicon", [_format_figure(figure.get("outside")) for figure in figures]))
    table.append(("  images", [str(figure["n"]) for figure in figures]))
    return [(result.name, column) for result, column in keys], table


def _format_figure(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.1f}"


def format_report(results: list[SetResult], protocol: Protocol, title: str, problems: list[str]) -> str:
    """The whole report for a terminal."""
    columns, table = make_rows(results, protocol, title)
    names = [name if i == 0 or name != columns[i - 1][0] else "" for i, (name, _) in enumerate(columns)]
    heads = [["", *names], ["accuracy, %", *(column for _, column in columns)]]
    lines = [f"protocol {protocol.name}: {protocol.summary}", ""]
    lines += align([*heads, *([name, *cells] for name, cells in table)])
    return "\n".join([*lines, "", *list_remarks(results, protocol, title, problems)])


def list_remarks(results: list[SetResult], protocol: Protocol, title: str, problems: list[str]) -> list[str]:
    """What stands below the table: averages, calibration, what is missing and why."""
    return [*list_averages(results, protocol, title), *list_calibration(results), *list_notes(results, problems)]


def average(results: list[SetResult]) -> dict[str, float]:
    """{"weighted", "unweighted"}: the lexicon-free accuracy of all images together, and the mean over sets, in %."""
    return _average([(result.scores["none"]["accuracy"], result.scores["none"]["n"]) for result in results])


def _average(figures: list[tuple[float, int]]) -> dict[str, float]:
    """Of accuracies and the images that they are of."""
    weighted = sum(accuracy * count for accuracy, count in figures) / sum(count for _, count in figures)
    return {"weighted": weighted, "unweighted": sum(accuracy for accuracy, _ in figures) / len(figures)}


def list_averages(results: list[SetResult], protocol: Protocol, title: str) -> list[str]:
    """A line for the model and one for each published row, over the sets that are there; none unless by folder."""
    if not protocol.by_folder:
        return []
    rows = [(title, len(results), average(results))]
    names = [protocol.name_of(result.name) for result in results]
    for row in list_published(protocol):
        known = [(row.accuracy[name, "none"], row.images[name]) for name in names if (name, "none") in row.accuracy]
        if known:
            rows.append((row.name, len(known), _average(known)))
    return [
        f"average of {count} sets, {name}: {found['weighted']:.2f} by images, {found['unweighted']:.2f} by sets"
        for name, count, found in rows
    ]


def list_calibration(results: list[SetResult]) -> list[str]:
    """One line a set: the expected calibration error of the lexicon-free confidence."""
    scored = [result for result in results if "none" in result.scores]
    said = ", ".join(f"{result.name} {result.scores['none']['calibration_error']:.1f}" for result in scored)
    return [f"expected calibration error of the confidence, %: {said}"] if said else []


def list_notes(results: list[SetResult], problems: list[str]) -> list[str]:
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
