"""Accuracy after each iteration as a table, as JSON, and words before and after each as a picture."""

from __future__ import annotations

import json
from pathlib import Path

from eval.columns import align, format_markdown
from eval.iterations.bench import Result, Word
from eval.plots import write_plot
from eval.words.sets import TestSet


def make_rows(results: list[Result]) -> list[list[str]]:
    """Head, a row for each iteration with the accuracy in %, and how many words were mended and spoilt."""
    rows = [["after", *(f"{result.name} {result.scores[0]['n']}" for result in results)]]
    for number in range(len(results[0].scores)):
        cells = [f"{result.scores[number]['accuracy']:.1f}" for result in results]
        rows.append(["vision alone" if not number else f"iteration {number}", *cells])
    rows.append(["mended / spoilt", *(f"{result.mended} / {result.spoilt}" for result in results)])
    return rows


def format_table(results: list[Result]) -> str:
    """The rows for a terminal."""
    return "\n".join(align(make_rows(results)))


def format_document(results: list[Result], words: list[Word]) -> str:
    """The rows and some words in Markdown."""
    count = len(results[0].scores)
    head = ["set", "label", "vision alone", *(f"iteration {number}" for number in range(1, count))]
    own = [[word.set_name, word.truth, *word.readings] for word in words]
    return "\n".join([format_markdown(make_rows(results)), *([format_markdown([head, *own])] if own else [])])


def format_json(results: list[Result], problems: list[str]) -> str:
    """{"sets": {name: {"n", "iterations": [scores each], "mended", "spoilt"}}, "problems": [a line each]}."""
    sets = {
        result.name: {
            "n": result.scores[0]["n"],
            "iterations": result.scores,
            "mended": result.mended,
            "spoilt": result.spoilt,
        }
        for result in results
    }
    return json.dumps({"sets": sets, "problems": problems}, indent=1)


def plot(words: list[Word], sets: list[TestSet], path: str | Path) -> None:
    """A row for each word: its picture, its label, and what was read after each iteration; right ones green."""
    from matplotlib.figure import Figure

    count = len(words[0].readings)
    figure = Figure(figsize=(2.6 + 1.7 * (count + 1), 0.55 * len(words) + 0.5), layout="constrained")
    grid = figure.subplots(len(words) + 1, count + 2, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    heads = ["", "label", "vision alone", *(f"iteration {number}" for number in range(1, count))]
    for axes, head in zip(grid[0], heads):
        axes.text(0, 0.3, head, fontsize=9, weight="bold")
    readers = {test_set.name: test_set.reader for test_set in sets}
    for row, word in zip(grid[1:], words):
        row[0].imshow(readers[word.set_name][word.index].image.convert("RGB"))
        for axes, text in zip(row[1:], (word.truth, *word.readings)):
            colour = "black" if axes is row[1] else "tab:green" if text == word.truth else "tab:red"
            axes.text(0, 0.5, text or "(nothing)", fontsize=10, color=colour, va="center", family="monospace")
    write_plot(figure, path)
