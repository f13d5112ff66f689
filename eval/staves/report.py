"""The staves bench's figures as a table."""

from __future__ import annotations

from collections.abc import Sequence

from eval.columns import align


def format_models(models: dict[str, dict], batches: Sequence[int]) -> list[str]:
    """A row for each model: rates a second, then peak memory in MB; what could not be measured is named."""
    reading = [f"read, {batch}" for batch in batches]
    heads = ["found", *reading, "trained", "rendered", "start MB", "long staff MB", "trained MB"]
    rows = [["a second", *heads]]
    for name, own in models.items():
        if "problem" in own:
            rows.append([name, f"left out: {own['problem']}"])
            continue
        training = own.get("training", {})
        rates = [own["finding"], *own["reading"].values(), training]
        memory = own["memory"]["start_mb"], own["memory"]["long_staff_mb"], training.get("peak_mb", "-")
        rendering = f"{own['rendering']['scores_per_s']:.1f}"
        rows.append([name, *map(_format_rate, rates), rendering, *map(str, memory)])
    return align(rows)


def _format_rate(rate: dict) -> str:
    if not rate:
        return "-"
    return f"{rate['images_per_s']:.1f}" + (f" ± {rate['deviation']:.1f}" if "deviation" in rate else "")
