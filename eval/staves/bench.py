"""The bench of scores: one model in a process of its own, so that its peak memory is its own.

  python -m eval.staves.bench JOB.json

The job names the model, the pictures and how often; what was measured is written to the job's `out`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from math import ceil
from pathlib import Path

import numpy as np
from PIL import Image

from crnn_jt.sources import render as render_source
from crnn_jt.spec import RecognizerSpec, config_names, load_config
from data_tools.files import write_text
from data_tools.scores import Recipe, RenderedScores
from data_tools.transforms import ResizeFixed
from eval.machine import read_peak_memory
from eval.processes import make_environment, read_last_words
from eval.timing import CLOCKS, Times, repeat
from eval.workloads import load_job_reader, make_training_step
from omr.ink import NoStaff
from omr.reading import framed

LONG = 2000
"""Columns of the long staff, before the model's own rounding."""


def choose_recipe(spec: RecognizerSpec) -> Recipe:
    """How the configuration of that name has its scores rendered, none of them eased; for other models, their frame
    alone.
    """
    if spec.name in config_names():
        config = load_config(spec.name)
        return render_source(config.data, config.model, 0, 1).recipe
    return Recipe(frame=spec.image.frame or "ink")


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


def measure_apart(job: dict, folder: Path) -> dict:
    """What the job's process measured; {"problem": why} where it ended without."""
    file, out, log = (folder / name for name in ("job.json", "figures.json", "log"))
    file.write_text(json.dumps({**job, "out": str(out)}))
    command, variables = [sys.executable, "-m", "eval.staves.bench", str(file)], make_environment(job["threads"])
    with log.open("wb") as lines:
        code = subprocess.run(command, stdout=lines, stderr=lines, env=variables).returncode
    return json.loads(out.read_text()) if out.is_file() else {"problem": read_last_words(log, code)}


def measure(job: dict) -> dict:
    """Figures of one model: memory first, while nothing else has used any; then reading, finding, training."""
    reader, pictures = load_job_reader(job, True), [_open_picture(path) for path in job["pictures"]]
    spec, clock, repeats = reader.spec, CLOCKS[job["clock"]], job["repeats"]
    memory = {"start_mb": read_peak_memory()}
    long = reader.pixels(pictures[0].resize((LONG, spec.image.height)))
    reader.read([pictures[0].resize((LONG, spec.image.height))])
    memory |= {"long_staff_mb": read_peak_memory(), "long_staff": list(long.shape[1:])}
    figures = {"memory": memory, "reading": {}}
    for batch in job["batches"]:
        times = _time_passes(reader.read, pictures, batch, repeats, clock)
        figures["reading"][str(batch)] = times.as_json(None)
    figures["finding"] = measure_finding(pictures, spec, clock)
    if job["train_steps"]:
        figures["training"] = measure_training(job, pictures, reader.transform, clock)
    return figures


def _open_picture(path: str) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("L")


def _time_passes(call: Callable, pictures: Sequence, batch: int, repeats: int, clock: Callable[[], float]) -> Times:
    """All pictures, `batch` at a time, `repeats` times over; a pass before them is not counted."""
    calls = ceil(len(pictures) / batch)
    source = cycle(pictures)

    def one_pass() -> list[float]:
        parts = [list(islice(source, batch)) for _ in range(calls)]
        return [repeat(lambda part=part: call(part), 0, 1, clock)[0] for part in parts]

    first = one_pass()[0]
    turns = [one_pass() for _ in range(repeats)]
    return Times(batch, first, turns, read_peak_memory())


def measure_finding(pictures: Sequence[Image.Image], spec: RecognizerSpec, clock: Callable[[], float]) -> dict:
    """Staves found and framed, a second: what `omr read` does before a model reads; and how many were missed."""
    missed = set()

    def find(part: list[Image.Image]) -> None:
        try:
            framed(part[0], spec)
        except NoStaff:
            missed.add(id(part[0]))

    times = _time_passes(find, pictures, 1, 1, clock)
    return {"images_per_s": times.as_json(None)["images_per_s"], "missed": len(missed), "of": len(pictures)}


def measure_training(job: dict, pictures: Sequence[Image.Image], transform, clock: Callable[[], float]) -> dict:
    """Whole optimiser steps on a batch as wide as the pictures are on average: their cost grows with the width."""
    mean = np.mean([transform.pixels(picture).shape[2] for picture in pictures])
    multiple = getattr(transform, "multiple", 1)
    width = ceil(mean / multiple) * multiple
    resize = ResizeFixed(transform.height, width, transform.channels)
    batch = list(islice(cycle(pictures), job["train_batch"]))
    step = make_training_step(job, np.stack([resize(picture) for picture in batch]))
    first, *seconds = repeat(step, 0, 1 + job["train_steps"], clock)
    times = Times(len(batch), first, [[taken] for taken in seconds], read_peak_memory())
    return {"batch": len(batch), "width": width, **times.as_json(None)}


if __name__ == "__main__":
    job = json.loads(Path(sys.argv[1]).read_text())
    begin = time.perf_counter()
    figures = measure(job)
    write_text(job["out"], json.dumps({**figures, "seconds": round(time.perf_counter() - begin, 1)}))
