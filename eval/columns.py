"""Tables of text in aligned columns, for the terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Sequence

GAP = "  "


def align(rows: Sequence[Sequence[str]], sides: str = "lr", least: Sequence[int] = (0,)) -> list[str]:
    """The rows as lines, every column as wide as its widest cell.

    `sides` has an l (left) or r (right) for each column, `least` its smallest width; the last one of each holds for all
    further columns. A row with fewer cells than the longest one ends in a note: it runs on and widens no column. With
    `least` the rows of a table can be printed one by one, as they come.
    """
    count = max(map(len, rows), default=0)
    widths = [_last_known(least, column) for column in range(count)]
    for row in rows:
        cells = row if len(row) == count else row[:-1]
        for column, cell in enumerate(cells):
            widths[column] = max(widths[column], len(cell))
    return [_join(row, widths, sides) for row in rows]


def _join(row: Sequence[str], widths: Sequence[int], sides: str) -> str:
    cells = []
    for column, cell in enumerate(row):
        if column == len(row) - 1 < len(widths) - 1:  # a note
            cells.append(cell)
        else:
            pad = str.rjust if _last_known(sides, column) == "r" else str.ljust
            cells.append(pad(cell, widths[column]))
    return GAP.join(cells).rstrip()


def _last_known(values: Sequence, column: int):
    return values[min(column, len(values) - 1)]


def format_markdown(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, the first row its head: the first column to the left, the others to the right."""
    ruler = ["---", *["---:"] * (len(rows[0]) - 1)]
    return "".join("| " + " | ".join(row) + " |\n" for row in (rows[0], ruler, *rows[1:]))
