"""The curves of a training as a picture: loss and scores over steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from data_tools.files import atomic_file

COUNTS = ("step", "n", "skipped", "seconds", "seen")
"""What of a line is no score."""


def plot_curves(history: list[dict[str, Any]], best: str, path: Path) -> None:
    """Writes a PNG from the lines of `metrics.jsonl`: training losses at the left, at the right the scores of the
    lines that have one named `best`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    training = [line for line in history if "loss" in line]
    for name in _names(training):
        if name == "loss" or name.startswith("loss/"):
            left.plot(*zip(*((line["step"], line[name]) for line in training if name in line)), label=name)
    if training:
        left.set_yscale("log")
        left.legend()
    left.set(xlabel="step", ylabel="training loss")
    validations = [line for line in history if best in line]
    for name in _names(validations):
        right.plot(*zip(*((line["step"], line[name]) for line in validations if name in line)), marker=".", label=name)
        right.legend()
    right.set(xlabel="step", ylabel="validation, %", ylim=(0, 100))
    with atomic_file(path) as file:
        figure.savefig(file, format="png", dpi=100)


def _names(lines: list[dict[str, Any]]) -> list[str]:
    """What is plotted of lines: numbers by name, in the order in which they come."""
    numbers = (name for line in lines for name, value in line.items() if isinstance(value, int | float))
    return [name for name in dict.fromkeys(numbers) if name not in COUNTS]
