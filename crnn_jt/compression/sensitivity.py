"""How much a model minds losing filters, set by set: measured once, kept in a file, shown as a table and a plot."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from crnn_jt.backend import load_state
from crnn_jt.compression.channels import Flow, cost_of
from crnn_jt.compression.filters import choose_kept, mask, name_set
from crnn_jt.survey import First
from crnn_jt.tasks import Task
from crnn_jt.weights import Weights
from data_tools.files import atomic_file, write_text
from data_tools.loader import Loader
from data_tools.sample import Reader

FILE, PLOT = "sensitivity.json", "sensitivity.png"


@contextmanager
def judge(task: Task, reader: Reader, pictures: int, batch_size: int) -> Iterator[Callable[[], float]]:
    """A function that gives the task's best score over the first `pictures` of a reader."""
    loader = Loader(First(reader, min(pictures, len(reader))), task.collate(False), batch_size, accept=task.accept)
    try:
        yield lambda: float(task.evaluate(loader)[0][task.best])
    finally:
        loader.close()


def measure(
    task: Task,
    flow: Flow,
    weights: Weights,
    shares: Sequence[float],
    score: Callable[[], float],
    out: Path,
    about: dict[str, Any],
) -> dict[str, Any]:
    """The score with each of the `shares` of the filters of each set gone, one set at a time, in `sensitivity.json`.

    What stands there of the same model (`about`) is not measured again. Returns {"score", "whole", "sets": {name:
    {"channels", "cost", "scores": {share: score}}}}; costs are shares of all multiply-adds that the set's layers take
    part in.
    """
    found = _read(out / FILE, about)
    task.model.eval()
    if "whole" not in found:
        found = {"about": about, "score": task.best, "whole": round(score(), 3), "sets": {}}
    whole = cost_of(flow, weights.arrays, {})
    for root in tqdm(flow.open_sets(), unit="set"):
        without = cost_of(flow, weights.arrays, {root: np.zeros(0, int)})
        fresh = {"channels": flow.sizes[root], "cost": round(1 - without / whole, 4), "scores": {}}
        one = found["sets"].setdefault(name_set(flow, root), fresh)
        for share in shares:
            if str(share) not in one["scores"]:
                kept = {root: choose_kept(flow, weights.arrays, root, share)}
                load_state(task.model, mask(flow, weights.arrays, kept))
                one["scores"][str(share)] = round(score(), 3)
                write_text(out / FILE, json.dumps(found, indent=1))
    load_state(task.model, weights.arrays)
    return found


def _read(path: Path, about: dict) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and found.get("about") == about else {}


def losses_of(found: dict[str, Any], shares: Sequence[float]) -> dict[str, dict[float, float]]:
    """What the model loses by each share that goes, for each set by name."""
    whole = found["whole"]
    return {
        name: {share: max(0.0, whole - one["scores"][str(share)]) for share in shares}
        for name, one in found["sets"].items()
    }


def rows_of(found: dict[str, Any], chosen: dict[str, int]) -> list[list[str]]:
    """The table: each set, its channels, its part of the multiply-adds, the score by share that goes, what is left."""
    shares = sorted({share for one in found["sets"].values() for share in one["scores"]}, key=float)
    head = ["filters of", "channels", "of all", *(f"-{100 * float(share):.0f}%" for share in shares), "left"]
    rows = [
        [
            name,
            str(one["channels"]),
            f"{100 * one['cost']:.1f}%",
            *(f"{one['scores'][share]:.1f}" if share in one["scores"] else "" for share in shares),
            str(chosen.get(name, one["channels"])),
        ]
        for name, one in found["sets"].items()
    ]
    return [head, ["whole", "", "", *(f"{found['whole']:.1f}" for _ in shares), ""], *rows]


def plot(found: dict[str, Any], path: Path) -> None:
    """The score of each set by the share of its filters that goes, as a picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    for name, one in found["sets"].items():
        points = sorted((float(share), value) for share, value in one["scores"].items())
        points.insert(0, (0.0, found["whole"]))
        axes.plot([100 * share for share, _ in points], [value for _, value in points], label=name)
    axes.set(xlabel="filters gone, %", ylabel=found["score"])
    axes.legend(fontsize="x-small")
    with atomic_file(path) as file:
        figure.savefig(file, format="png", dpi=120)
