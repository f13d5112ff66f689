"""Figures of matplotlib as files."""

from __future__ import annotations

from pathlib import Path

from data_tools.errors import UserError
from data_tools.files import atomic_file

FORMATS = (".png", ".svg", ".pdf")


def require_plot_name(path: str | None) -> None:
    """Raises UserError for a file that no plot can be written to: before anything is measured."""
    if path and Path(path).suffix not in FORMATS:
        raise UserError(f"--plot {path}: the name must end in {', '.join(FORMATS)}")


def write_plot(figure, path: str | Path) -> None:
    """Writes a matplotlib figure in the format of the file's ending, whole or not at all."""
    with atomic_file(path) as file:
        figure.savefig(file, format=Path(path).suffix.lstrip("."), dpi=120)
