"""One step of training, the same wherever there is one: the trainer's loop, the benches, the tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from crnn_jt import backend
from crnn_jt.backend import ops, ranks
from crnn_jt.optimizers import EMA, Optimizer
from crnn_jt.spec import TrainSpec
from crnn_jt.tasks.base import Inputs, Task


class Learner:
    """A task's parameters, their optimiser and the moving average of the weights."""

    def __init__(self, task: Task, spec: TrainSpec):
        backend.precision(spec.precision)  # refused before anything is computed
        self.task, self.spec = task, spec
        self.optimizer = Optimizer(spec, task.groups())
        self.average = EMA(spec.ema, backend.tensors(task.model)) if spec.ema else None

    def step(self, inputs: Inputs, rate: float, number: int, count: int | None = None) -> tuple[dict[str, Any], int]:
        """Optimiser step `number` (from 1) at learning rate `rate` from this rank's `count` samples (default: all
        of the inputs; 0 where they stand in for none).

        Returns the losses by name, first "loss", the sum that was descended (scalars whose computation may still be
        under way), and the count over all ranks.
        """
        count, turn = len(inputs) if count is None else count, self.task.turn()
        with backend.precision(self.spec.precision):
            losses = self.task.losses(inputs)
        total = sum(value * self.task.weights.get(name, 1.0) for name, value in losses.items())
        found = {"loss": total, **(losses if len(losses) > 1 else {})}
        parameters = self.optimizer.targets(turn)
        if ranks.count > 1:  # times the count before the gradients: through synchronised statistics they reach others
            found = {name: value * count for name, value in found.items()}
        gradients = backend.gradients(found["loss"], list(parameters.values()))
        if ranks.count > 1:
            found, gradients, count = _reduce(found, gradients, count)
        gradients = self.task.adjust(list(parameters), gradients)
        if count:
            self.optimizer.step(gradients, rate, number, turn)
            if self.average is not None:
                self.average.update(number)
        backend.flush()
        return found, count


def _reduce(losses: dict[str, Any], gradients: list, count: int) -> tuple[dict[str, Any], list, int]:
    """Losses, gradients and count of the whole batch from those of this rank, losses and gradients times its `count`:
    the mean over all samples, as one process has it. Only a sample that stands in where a rank has nothing usable is
    counted in the batch statistics.
    """
    with backend.no_grad():
        sums = ranks.mean([ops.array(np.float32([count])), *losses.values(), *gradients])
        mean_count = float(ops.numpy(sums[0]).sum())
        scaled = [x * (1 / max(mean_count, 1e-9)) for x in sums[1:]]
    return dict(zip(losses, scaled)), scaled[len(losses) :], round(mean_count * ranks.count)
