"""Telling upright lines from overturned ones: pictures of words, half of them turned."""

from __future__ import annotations

from typing import Any

import numpy as np

from crnn_jt.backend import ops, ranks
from crnn_jt.models.direction import Direction, transform_of
from crnn_jt.spec import Config
from crnn_jt.tasks.base import TASKS, Task
from data_tools.augmentations import MIXES, NAMES
from data_tools.errors import UserError
from data_tools.loader import Loader
from data_tools.loader.turned import TURNS, Turn, Turned


@TASKS.register("direction")
class Directions(Task):
    """Trains a classifier of direction on pictures of words.

    What mixes pictures of a batch is drawn from the seed and the step; under MPI each process mixes its own share.
    """

    augmentations = NAMES
    unusable = "the word is too short to tell its direction"

    model: Direction

    def __init__(self, model: Direction, config: Config):
        super().__init__(model, config)
        names = config.train.augmentations if config.train.augment else ()
        self.mixes = [MIXES[name] for name in names if name in MIXES]
        if len(self.mixes) > 1:
            raise UserError("train.augmentations: pictures are mixed in one way; name one of " + ", ".join(MIXES))
        self.step = 0

    def collate(self, training: bool) -> Turn:
        """Pictures of the model's size, changed at random while training."""
        return Turn(transform_of(self.model.spec), self.augment(training))

    def before_step(self, step: int) -> None:
        """What is mixed follows from the step."""
        self.step = step

    def usable(self, batch: Turned) -> tuple[Turned, int]:
        """Words that are long enough to tell."""
        kept = np.flatnonzero(batch.turns >= 0)
        return Turned(batch.images[kept], batch.turns[kept], [batch.keys[n] for n in kept]), len(batch) - len(kept)

    def stand_in(self, batch: Turned) -> Turned:
        """An empty picture."""
        return Turned(np.zeros((1, *batch.images.shape[1:]), np.float32), np.zeros(1, np.int64), [""])

    def losses(self, inputs: Turned) -> dict[str, Any]:
        """Those of the model; of mixed pictures, the mean of both parts' by their shares."""
        if not self.mixes:
            return self.model.losses(ops.array(inputs.images), inputs.turns)
        mixed = self.mixes[0](inputs.images, np.random.default_rng((self.config.train.seed, self.step, ranks.rank)))
        others = inputs.turns[mixed.partners]
        return self.model.losses(ops.array(mixed.images), inputs.turns, others, mixed.share)

    def evaluate(self, loader: Loader) -> tuple[dict[str, float], list]:
        """The share of words whose direction is told, %, and those where it is not."""
        right, total, examples = 0, 0, []
        for batch in loader.batches():
            judged, _ = self.usable(batch)
            if not len(judged):
                continue
            found = self.model.probabilities(judged.images).argmax(1)
            right, total = right + int((found == judged.turns).sum()), total + len(judged)
            wrong = np.flatnonzero(found != judged.turns)
            examples += [f"{judged.keys[n]}: turned by {TURNS[judged.turns[n]]}" for n in wrong]
        return {"n": total, "accuracy": 100 * right / max(1, total)}, examples
