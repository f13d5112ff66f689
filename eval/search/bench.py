"""One backbone trained for the budget: what it reads, what it costs. Finished rows are kept."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from crnn_jt.spec import Config
from crnn_jt.training import TrainOptions
from data_tools.errors import UserError
from data_tools.files import write_text
from eval import training
from eval.search.candidates import Candidate, cost_of
from eval.timing import CLOCKS, repeat
from eval.words.bench import score_sets
from eval.words.sets import TestSet

DONE = "row.json"
BATCH, SECONDS = 16, 1.0
"""Pictures at once, and the seconds, of which the rate is measured."""


@dataclass(frozen=True)
class Row:
    """One training: accuracy in % on rendered validation and by set (0-9a-z, no lexicon; None without sets), millions
    of multiply-adds and parameters of the backbone, pictures read in a second of processor time, samples learnt from.
    """

    name: str
    kind: str
    seed: int
    rendered: float
    accuracy: float | None
    sets: dict[str, float]
    multiply_adds: float
    parameters: int
    images_per_s: float
    samples: int


def read_row(folder: Path) -> Row | None:
    """The row of a finished training. Raises UserError for a file of something else."""
    path = folder / DONE
    if not path.is_file():
        return None
    try:
        return Row(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{path}: holds no row of this bench; name another folder as --out") from error


def train(
    config: Config, candidate: Candidate, seed: int, options: TrainOptions, folder: Path, sets: list[TestSet]
) -> Row:
    """Trains a candidate in the place of the configuration's extractor, from the checkpoint where there is one; a
    finished one is not trained any more. Raises UserError.
    """
    from crnn_jt.backend import parameters

    kept = read_row(folder)
    if kept is not None:
        return kept
    model = replace(config.model, name=candidate.name, extractor=candidate.extractor)
    config = replace(config, model=model, train=replace(config.train, seed=seed))
    trainer, scores = training.train(config, options, folder)
    weights = folder / "last.safetensors"
    read = score_sets(weights, sets) if sets else {}
    counted = sum(one["n"] for one in read.values())
    row = Row(
        candidate.name,
        candidate.kind,
        seed,
        scores["accuracy"],
        sum(one["accuracy"] * one["n"] for one in read.values()) / counted if counted else None,
        {name: one["accuracy"] for name, one in read.items()},
        cost_of(model) / 1e6,
        sum(math.prod(value.shape) for value in parameters(trainer.task.model.extractor).values()),
        measure_rate(weights),
        trainer.progress.seen,
    )
    write_text(folder / DONE, json.dumps(asdict(row), indent=1) + "\n")
    return row


def measure_rate(weights: Path) -> float:
    """Pictures read in a second of processor time, by what reads fastest here, in batches of `BATCH`."""
    from crnn_jt.reading import load

    reader = load(weights)
    image = reader.spec.image
    shape = BATCH, image.channels, image.height, image.width
    images = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    reader.logits(images)  # compiles
    times = repeat(lambda: reader.logits(images), SECONDS, 3, CLOCKS["cpu"])
    return BATCH / float(np.median(times))
