"""The bench of scores: one model in a process of its own, so that its peak memory is its own.

  python -m eval.staves JOB.json

The job names the model, the pictures and how often; what was measured is written to the job's `out`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from math import ceil
from pathlib import Path

import numpy as np
from PIL import Image

from crnn_jt.commands.train import rendered
from crnn_jt.spec import ModelSpec, config_names, load_config
from data_tools.files import write_text
from data_tools.scores import Recipe, RenderedScores
from data_tools.transforms import ResizeFixed
from eval.engines import CLOCKS, peak_memory, reader_of, repeat, training_step
from eval.speed import ROOT, Times
from omr.reading import frame_of, framed
from omr.staves import NoStaff

LONG = 2000
"""Columns of the long staff, before the model's own rounding."""


def recipe_of(spec: ModelSpec) -> Recipe:
    """How the configuration of that name has its scores rendered, none of them eased; for other models, their frame
    alone.
    """
    if spec.name in config_names():
        return rendered(load_config(spec.name), 0, 1).recipe
    return Recipe(frame=frame_of(spec, {}))


def render(recipe: Recipe, seed: int, count: int, folder: Path, clock: str) -> tuple[list[str], float]:
    """Files of `count` rendered scores, and scores a second of one process; the first one loads fonts and engraver."""
    scores, tick = RenderedScores(seed, count + 1, recipe), CLOCKS[clock]
    pictures, begin = [scores[0].image], tick()
    pictures += [scores[index].image for index in range(1, count + 1)]
    took = tick() - begin
    paths = [folder / f"{number}.png" for number in range(count)]
    for path, picture in zip(paths, pictures[1:]):
        picture.save(path)
    return list(map(str, paths)), count / max(took, 1e-9)


def run(job: dict, folder: Path) -> dict:
    """What the job's process measured; {"problem": why} where it ended without."""
    file, out, log = (folder / name for name in ("job.json", "figures.json", "log"))
    file.write_text(json.dumps({**job, "out": str(out)}))
    variables = {"OMP_NUM_THREADS": str(job["threads"])}
    command = [sys.executable, "-m", "eval.staves", str(file)]
    with log.open("wb") as said:
        code = subprocess.run(command, stdout=said, stderr=said, cwd=ROOT, env={**os.environ, **variables}).returncode
    if out.is_file():
        return json.loads(out.read_text())
    lines = log.read_text(errors="replace").strip().splitlines()
    return {"problem": lines[-1][:200] if lines else f"ended with exit code {code}"}


def measure(job: dict) -> dict:
    """Figures of one model: memory first, while nothing else has used any; then reading, finding, training."""
    reader, pictures = reader_of(job, True), [_opened(path) for path in job["pictures"]]
    spec, clock, repeats = reader.spec, CLOCKS[job["clock"]], job["repeats"]
    memory = {"start_mb": peak_memory()}
    long = reader.pixels(pictures[0].resize((LONG, spec.image.height)))
    reader.read([pictures[0].resize((LONG, spec.image.height))])
    memory |= {"long_staff_mb": peak_memory(), "long_staff": list(long.shape[1:])}
    figures = {"memory": memory, "reading": {}}
    for batch in job["batches"]:
        times = _passes(reader.read, pictures, batch, repeats, clock)
        figures["reading"][str(batch)] = times.as_json(None)
    figures["finding"] = finding(pictures, spec, frame_of(spec, reader.info), clock)
    if job["train_steps"]:
        figures["training"] = training(job, pictures, reader.transform, clock)
    return figures


def _opened(path: str) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("L")


def _passes(call: Callable, pictures: Sequence, batch: int, repeats: int, clock: Callable[[], float]) -> Times:
    """All pictures, `batch` at a time, `repeats` times over; a pass before them is not counted."""
    calls = ceil(len(pictures) / batch)
    source = cycle(pictures)

    def one_pass() -> list[float]:
        parts = [list(islice(source, batch)) for _ in range(calls)]
        return [repeat(lambda part=part: call(part), 0, 1, clock)[0] for part in parts]

    first = one_pass()[0]
    turns = [one_pass() for _ in range(repeats)]
    return Times(batch, first, turns, peak_memory())


def finding(pictures: Sequence[Image.Image], spec: ModelSpec, frame: str, clock: Callable[[], float]) -> dict:
    """Staves found and framed, a second: what `omr read` does before a model reads; and how many were missed."""
    missed = set()

    def find(part: list[Image.Image]) -> None:
        try:
            framed(part[0], spec, frame)
        except NoStaff:
            missed.add(id(part[0]))

    times = _passes(find, pictures, 1, 1, clock)
    return {"images_per_s": times.as_json(None)["images_per_s"], "missed": len(missed), "of": len(pictures)}


def training(job: dict, pictures: Sequence[Image.Image], transform, clock: Callable[[], float]) -> dict:
    """Whole optimiser steps on a batch as wide as the pictures are on average: their cost grows with the width."""
    mean = np.mean([transform.pixels(picture).shape[2] for picture in pictures])
    multiple = getattr(transform, "multiple", 1)
    width = ceil(mean / multiple) * multiple
    resize = ResizeFixed(transform.height, width, transform.channels)
    batch = list(islice(cycle(pictures), job["train_batch"]))
    step = training_step(job, np.stack([resize(picture) for picture in batch]))
    first, *seconds = repeat(step, 0, 1 + job["train_steps"], clock)
    times = Times(len(batch), first, [[taken] for taken in seconds], peak_memory())
    return {"batch": len(batch), "width": width, **times.as_json(None)}


def table(models: dict[str, dict], batches: Sequence[int]) -> list[str]:
    """A row for each model: rates a second, then peak memory in MB; what could not be measured is named."""
    reading = [f"read, {batch}" for batch in batches]
    heads = ["found", *reading, "trained", "rendered", "start MB", "long staff MB", "trained MB"]
    lines = [f"{'a second':<16}" + "".join(f"{head:>15}" for head in heads)]
    for name, own in models.items():
        if "problem" in own:
            lines.append(f"{name:<16}left out: {own['problem']}")
            continue
        rates = [own["finding"], *own["reading"].values(), own.get("training", {})]
        memory = own["memory"]["start_mb"], own["memory"]["long_staff_mb"], own.get("training", {}).get("peak_mb", "-")
        cells = [*map(_cell, rates), f"{own['rendering']['scores_per_s']:.1f}", *map(str, memory)]
        lines.append(f"{name:<16}" + "".join(f"{cell:>15}" for cell in cells))
    return lines


def _cell(rate: dict) -> str:
    if not rate:
        return "-"
    return f"{rate['images_per_s']:.1f}" + (f" ± {rate['deviation']:.1f}" if "deviation" in rate else "")


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text())
    begin = time.perf_counter()
    found = measure(given)
    write_text(given["out"], json.dumps({**found, "seconds": round(time.perf_counter() - begin, 1)}))
