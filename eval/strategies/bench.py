"""A row of a table trained, judged and timed; rows compared with each other."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from crnn_jt.spec import Config, from_dict, to_dict
from crnn_jt.training import TrainOptions
from eval import training
from eval.strategies.tables import Row, Table
from eval.timing import CLOCKS, repeat

TIMED = 1.0
"""Seconds for which a picture is read again and again."""


@dataclass(frozen=True)
class Outcome:
    """One row with one seed: `score` on rendered samples in %, on real ones by set; parameters, multiply-adds and
    milliseconds of processor time for one picture of the model's size; samples learnt from, samples a second.
    """

    row: str
    seed: int
    score: float
    real: dict[str, float]
    parameters: int
    multiply_adds: int
    milliseconds: float
    samples: int
    samples_per_s: float

    @property
    def megabytes(self) -> float:
        """Of its weights as float32."""
        return self.parameters * 4 / 1e6


@dataclass(frozen=True)
class Result:
    """A row's outcomes over its seeds; `change` of its mean from that of the row it is compared with, None: of none."""

    row: Row
    outcomes: tuple[Outcome, ...]
    change: float | None = None

    @property
    def mean(self) -> float:
        """Of the scores."""
        return float(np.mean([one.score for one in self.outcomes]))

    @property
    def spread(self) -> float | None:
        """From the lowest score to the highest; None of a single seed."""
        scores = [one.score for one in self.outcomes]
        return max(scores) - min(scores) if len(scores) > 1 else None

    @property
    def real(self) -> dict[str, float]:
        """Means of the real sets."""
        return {name: float(np.mean([one.real[name] for one in self.outcomes])) for name in self.outcomes[0].real}


def configure_row(config: Config, table: Table, row: Row, seed: int) -> Config:
    """`config` as the row has it. Raises UserError where the changes do not fit."""
    values = to_dict(config)
    changes = {**table.changes_of(row), "model.name": f"table-{table.number}-{row.name}", "train.seed": seed}
    for name, value in changes.items():
        *sections, last = name.split(".")
        place = values
        for section in sections:
            place = place[section]
        if name == "train.warmup":
            value = round(value * config.train.steps)
        place[last] = copy.deepcopy(value)
    return from_dict(Config, values)


def train(config: Config, table: Table, row: Row, seed: int, options: TrainOptions, folder: Path, real) -> Outcome:
    """Trains a row into `folder`, or finds it trained, judges its last weights on the `real` sets and times them."""
    made = configure_row(config, table, row, seed)
    trainer, scores = training.train(made, options if row.initialised else replace(options, init=""), folder)
    weights, progress = folder / "last.safetensors", trainer.progress
    return Outcome(
        row.name,
        seed,
        scores[table.measure],
        real(made, weights),
        *weigh(trainer.task.model),
        time_picture(weights),
        progress.seen,
        progress.seen / max(progress.seconds, 1e-9),
    )


@dataclass(frozen=True)
class RealSets:
    """Judges weights on the labelled pictures below `root` ("": on none): recognisers by set, others on all at once."""

    root: str
    sets: tuple[Any, ...] = ()

    def __call__(self, config: Config, weights: Path) -> dict[str, float]:
        """The task's best score in %, by set."""
        if not self.root:
            return {}
        if config.model.kind == "recognizer":
            from eval.words.bench import score_sets

            return {name: scores["accuracy"] for name, scores in score_sets(weights, self.sets).items()}
        return {Path(self.root).resolve().name: self._judge(config, weights)}

    def _judge(self, config: Config, path: Path) -> float:
        from crnn_jt import backend
        from crnn_jt.models import restore
        from crnn_jt.tasks import task_of
        from crnn_jt.weights import load_weights
        from data_tools.loader import Loader
        from data_tools.readers import open_reader

        task = task_of(restore(load_weights(path), str(path)), config)
        loader = Loader(open_reader(self.root), task.collate(False), config.train.batch_size)
        with backend.no_grad():
            return task.evaluate(loader)[0][task.best]


def weigh(model) -> tuple[int, int]:
    """Parameters, and multiply-adds of one picture of the model's size."""
    from crnn_jt.backend import parameters
    from crnn_jt.layers import cost

    image = model.spec.image
    count = sum(math.prod(value.shape) for value in parameters(model).values())
    if model.spec.kind == "detector":
        return count, model.cost(image.height, image.width)
    if model.spec.kind == "direction":
        return count, model.cost()
    steps = int(model.steps(np.array([image.width]))[0])
    sequence = cost((*model.refiner.layers(), *model.generator.layers()), None, 1, steps)
    return count, cost(model.extractor.layers(), image.channels, image.height, image.width) + sequence


def time_picture(path: Path) -> float:
    """Milliseconds of processor time for one picture of the model's size, the median of several: rows are trained hours
    apart, beside other work. On the CPU kernels where they cover the model.
    """
    from crnn_jt import backend
    from crnn_jt.freeze import try_freeze
    from crnn_jt.models import restore
    from crnn_jt.weights import load_weights

    weights = load_weights(path)
    model, image = restore(weights, str(path)), weights.spec.image
    picture = np.zeros((1, image.channels, image.height, image.width), np.float32)
    network, rest = try_freeze(model, weights.arrays), ()
    if network is not None:
        read = network.run
    elif weights.spec.kind == "recognizer":
        read, rest = model.log_probs, (np.array([image.width]),)
    else:
        read = model.probabilities
    with backend.no_grad():
        read(picture, *rest)  # compiles
        return 1000 * float(np.median(repeat(lambda: read(picture, *rest), TIMED, 3, CLOCKS["cpu"])))


def compare(table: Table, outcomes: Sequence[Outcome]) -> list[Result]:
    """The table's rows that have outcomes, each with its change from the row before, or from the first."""
    results: list[Result] = []
    for row in table.rows:
        own = tuple(sorted((one for one in outcomes if one.row == row.name), key=lambda one: one.seed))
        if own:
            result = Result(row, own)
            other = results[-1 if table.cumulative else 0] if results else None
            results.append(result if other is None else replace(result, change=result.mean - other.mean))
    return results


def widest_spread(results: Sequence[Result]) -> float | None:
    """The largest spread over seeds of any row: what chance alone does here. None with a single seed."""
    return max((result.spread for result in results if result.spread is not None), default=None)


def is_difference(result: Result, spread: float | None) -> bool | None:
    """Whether a row's change is more than chance; None where nobody can say."""
    return None if result.change is None or spread is None else abs(result.change) > spread
