"""What of its data a training can use: looked at before it begins, counted while it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from crnn_jt.spec import Config
from data_tools.errors import UserError
from data_tools.loader import Loader
from data_tools.readers import open_reader
from data_tools.readers.mixed import split_share
from data_tools.sample import CorruptSample, Reader

SURVEYED, RENDERED = 1000, 32
"""Samples of a data set that are looked at before a training begins; a few of what is rendered, which takes longer and
is made for the model.
"""
PHOTOGRAPHS = 64
"""Of a set of photographs, of which one at least must have a region of text."""


def look_at_data(task, config: Config, train: Reader, val: Reader, max_corrupt: float) -> Survey | None:
    """What is looked at before a training begins; a survey where the task has a label policy. Raises UserError where
    the task cannot learn from the data, or not be validated on them.
    """
    if task.regions:
        check_regions((*config.data.train, *config.data.val))
    if task.accept is None:
        return None
    survey = look_ahead(task, config, train, max_corrupt)
    if config.data.val:
        check_validation(task, val, max_corrupt)
    return survey


def look_ahead(task, config: Config, reader: Reader, max_corrupt: float) -> Survey:
    """How many of the first samples (`SURVEYED`) the task can learn from, and why not the others.

    Raises UserError where it can learn from none, or a larger share than `max_corrupt` is corrupt.
    """
    count = min(len(reader), SURVEYED if config.data.train else RENDERED)
    options = {"accept": task.accept, "max_corrupt": max_corrupt}
    loader = Loader(First(reader, count), task.collate(True), min(count, 64), **options)
    usable = unlearnable = 0
    try:
        for batch in loader.batches():
            inputs, left_out = task.usable(batch)
            usable, unlearnable = usable + len(inputs), unlearnable + left_out
    except UserError:
        if loader.skipped.total() < count:  # else not one is left, and the survey says why
            raise
    finally:
        loader.close()
    survey = Survey(count, usable, loader.skipped + Counter({task.unusable: unlearnable}))
    if not usable:
        raise UserError(
            f"{survey}; there is nothing to learn from: check the data set, and its labels against model.labels"
        )
    return survey


def check_validation(task, reader: Reader, max_corrupt: float) -> None:
    """Raises UserError where not one of the first samples to validate on can be judged, or too many are corrupt: better
    now than at the first validation.
    """
    count = min(len(reader), SURVEYED)
    loader = Loader(
        First(reader, count), task.collate(False), min(count, 64), accept=task.accept, max_corrupt=max_corrupt
    )
    try:
        for _ in loader.batches():
            pass
    except UserError as error:
        raise UserError(f"to validate on: {error}") from error
    finally:
        loader.close()


def check_regions(paths: Sequence[str]) -> None:
    """Raises UserError for a set of pictures without regions, such as one of words: nothing could be found in them."""
    for path in (split_share(text)[0] for text in paths):
        reader = open_reader(path)
        if not any(_has_regions(reader, index) for index in range(min(PHOTOGRAPHS, len(reader)))):
            raise UserError(f"{path}: no regions of text; a detector learns from photographs with quadrilaterals")


def _has_regions(reader: Reader, index: int) -> bool:
    try:
        return bool(reader[index].regions)
    except CorruptSample:
        return False


def left_out(trainer) -> str:
    """A line about the samples that a run could not learn from, by reason; nothing where there were none."""
    counts = trainer.train_loader.skipped + Counter({trainer.task.unusable: trainer.progress.infeasible})
    return f"left out of the training: {_list(counts)}" if counts else ""


def _list(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} × {why}" for why, count in counts.most_common())


@dataclass(frozen=True)
class Survey:
    """What was found among the first `seen` samples: how many are `usable`, the others by reason."""

    seen: int
    usable: int
    skipped: Counter[str]

    def __str__(self) -> str:
        others = f"; left out: {_list(self.skipped)}" if self.skipped else ""
        return f"of the first {self.seen:,} samples {self.usable:,} can be used{others}"


@dataclass(frozen=True)
class First:
    """The first `count` samples of a reader."""

    reader: Reader
    count: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int):
        return self.reader[index]
