"""A task is what learns: it turns batches into losses and says how good the model is; the trainer knows no more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from crnn_jt import backend
from crnn_jt.layers import parameter_groups_of
from crnn_jt.models.base import Model
from crnn_jt.optimizers import Turn
from crnn_jt.registry import Registry
from crnn_jt.spec import Config, StageSpec
from data_tools.augment import augment_word
from data_tools.augmentations import PICTURES, Augmentations
from data_tools.errors import UserError
from data_tools.loader import Collate, Loader
from data_tools.loader.collate import Augment

TASKS = Registry("task")


class Inputs(Protocol):
    """What a model learns from at one step; its length is the number of samples."""

    def __len__(self) -> int: ...


class Task:
    """One way of training a model. A subclass under `@TASKS.register(name)` gets the model, the configuration and its
    own options.

    `best` names the score by which weights are kept, the higher the better; `bucketed` says whether samples differ in
    extent, so that sorting a window of batches by it saves padding; `unusable` says why `usable` leaves a sample out;
    `regions` says whether it learns from photographs with regions; `augmentations` are the names that
    `train.augmentations` may have; `weights` is the factor of each named loss in the sum that is descended (1 where it
    is not named); `taught` names the task that trains such a model by a teacher; `others` are modules that run beside
    the model, such as the teacher.
    """

    best = "accuracy"
    bucketed = False
    unusable = "the task cannot learn from it"
    regions = False
    augmentations: tuple[str, ...] = ()
    weights: dict[str, float] = {}
    taught = ""
    others: tuple[Any, ...] = ()

    def __init__(self, model: Model, config: Config):
        self.model, self.config = model, config
        for name in config.train.augmentations:
            if name not in self.augmentations:
                there = ", ".join(self.augmentations) or "none"
                raise UserError(f"train.augmentations: {name}: this task does not take it; it takes: {there}")

    def augment(self, training: bool, rendered: bool | None = None) -> Augment | None:
        """How pictures of lines are changed at random: while training by the configuration's names, or else, unless
        they are `rendered` (default: where it names no data set), as suits pictures of a data set; None: not at all.
        """
        train = self.config.train
        if not training or not train.augment:
            return None
        names = tuple(name for name in train.augmentations if name in PICTURES)
        if train.augmentations:
            return Augmentations(names) if names else None
        rendered = not self.config.data.train if rendered is None else rendered
        return None if rendered else augment_word

    def groups(self) -> dict[str, dict[str, Any]]:
        """The parameters that are trained, by group and name; names are unique over all groups. `train.groups` of the
        configuration sets what differs for a group. Layers may name groups of their own; the others are "weights".
        """
        own, found = parameter_groups_of(self.model.named_layers()), {"weights": {}}
        for name, value in backend.parameters(self.model).items():
            found.setdefault(own.get(name, "weights"), {})[name] = value
        return found

    accept: Callable[[str], str | None] | None = None
    """The label policy: a label as it is learnt and judged, or None to leave the sample out."""

    def collate(self, training: bool) -> Collate:
        """How samples become batches, `training` with random changes."""
        raise NotImplementedError

    def before_step(self, step: int) -> None:
        """Called before the batch of optimiser step number `step` (from 1) is looked at; for what is drawn anew."""

    def turn(self) -> Turn | None:
        """What the step in progress changes; None: every parameter of all groups."""
        return None

    def usable(self, batch: Any) -> tuple[Inputs, int]:
        """What of a batch can be learnt from, and how many samples cannot."""
        raise NotImplementedError

    def stand_in(self, batch: Any) -> Inputs:
        """One sample that any model can learn from: it stands in, without weight, for a batch that has none."""
        raise NotImplementedError

    def losses(self, inputs: Inputs) -> dict[str, Any]:
        """Means over the samples by name, scalars of the backend; their weighted sum is descended, each is logged."""
        raise NotImplementedError

    def adjust(self, names: Sequence[str], gradients: list) -> list:
        """The gradients of the parameters `names` as the optimiser is to see them."""
        return gradients

    def after_step(self, step: int) -> None:
        """Called after optimiser step number `step` (from 1), before it is logged."""

    def memory(self) -> dict[str, np.ndarray]:
        """What a resumed run needs besides the model's arrays and the step: float32 by name, for the checkpoint."""
        return {}

    def recall(self, memory: dict[str, np.ndarray]) -> None:
        """Takes up what `memory` gave when the checkpoint was written."""

    def evaluate(self, loader: Loader) -> tuple[dict[str, float], list]:
        """Scores of the model, which is in eval mode, over a whole loader; and examples of what was wrong, each with a
        string form.
        """
        raise NotImplementedError


def task_of(model: Model, config: Config) -> Task:
    """The task that the configuration names, or the one that the kind of model has of its own. Raises UserError."""
    return TASKS.build_stage(config.task or StageSpec(model.task), model=model, config=config)
