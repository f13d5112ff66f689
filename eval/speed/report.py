"""The speed bench's document as text and as bars."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eval.columns import align
from eval.plots import write_plot
from eval.speed.tasks import ORDERS, REFERENCE

NAME_WIDTH = 18  # of most engines' names
BATCH_WIDTH = 20  # of "1234 ± 56.7 (8.90)": tables of one run stand below each other


def format_document(document: dict) -> str:
    """The document as text: a block for each model and task, a row for each engine, a column for each batch."""
    blocks = []
    for task in ORDERS:
        for model, batches in document[task].items():
            blocks.append(_format_rates(f"{task}, {model}: images/s ± deviation (times {REFERENCE})", batches))
    for model, engines in document["engines"].items():
        measured = [sizes for task in ORDERS for sizes in document[task].get(model, {}).values()]
        blocks.append(_format_costs(model, engines, measured))
    return "\n".join(blocks)


def _format_rates(title: str, batches: dict[str, dict]) -> str:
    names = list(dict.fromkeys(name for engines in batches.values() for name in engines))
    rows = [["", *(f"batch {batch}" for batch in batches)]]
    rows += [[name, *(_format_rate(engines.get(name)) for engines in batches.values())] for name in names]
    return "\n".join([title, *align(rows, least=(NAME_WIDTH, BATCH_WIDTH)), ""])


def _format_rate(own: dict | None) -> str:
    if own is None:
        return "-"
    ratio = f" ({own['ratio']:.2f})" if "ratio" in own else ""
    return f"{own['images_per_s']:.{int(own['images_per_s'] < 10)}f} ± {own['deviation']:.1f}{ratio}"


def _format_costs(model: str, engines: dict[str, dict], batches: list[dict]) -> str:
    """What an engine costs, images a second apart; or why it is missing."""
    title = f"{model}: start s, first calls s (compilation), peak memory MB, difference of the logits"
    rows = []
    for name, engine in engines.items():
        if "problem" in engine:
            rows.append((name, f"left out: {engine['problem']}"))
            continue
        own = [engines[name] for engines in batches if name in engines]
        firsts = " / ".join(f"{figures['first_call_s']:.2f}" for figures in own) or "-"
        peak = max((figures["peak_mb"] for figures in own), default=0)
        rows.append((name, f"{engine['start_s']:.1f}", firsts, str(peak), _format_difference(engine)))
    return "\n".join([title, *align(rows, "lrrrl", (NAME_WIDTH, 0)), ""])


def _format_difference(engine: dict) -> str:
    if "difference" not in engine:
        return "-"
    return "other shape" if engine["difference"] is None else f"{engine['difference']:.1e}"


def plot(document: dict, path: str | Path) -> None:
    """Bars, a panel for each task and model, in the format of the file's ending."""
    from matplotlib.figure import Figure

    panels = [(f"{model}, {task}", batches) for task in ORDERS for model, batches in document[task].items()]
    count = max(1, len(panels))
    figure = Figure(figsize=(7 * count, 4), layout="constrained")
    for axes, (title, batches) in zip(figure.subplots(1, count, squeeze=False)[0], panels):
        axes.set(title=title, ylabel="images/s")
        _draw_bars(axes, batches)
    write_plot(figure, path)


def _draw_bars(axes, batches: dict[str, dict]) -> None:
    """A group of bars for each batch, a bar for each engine."""
    names = list(dict.fromkeys(name for engines in batches.values() for name in engines))
    for i, name in enumerate(names):
        known = [(x, engines[name]) for x, engines in enumerate(batches.values()) if name in engines]
        places = [x + i / (len(names) + 1) for x, _ in known]
        heights, errors = zip(*((own["images_per_s"], own["deviation"]) for _, own in known))
        axes.bar(places, heights, 1 / (len(names) + 1), yerr=errors, label=name)
    axes.set_xticks(np.arange(len(batches)) + 0.4, [f"batch {batch}" for batch in batches])
    if names:
        axes.legend(fontsize=7)
