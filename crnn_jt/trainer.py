"""The training loop: clock, signals, ranks, averages, checkpoints and logs. What is learnt is the task's business."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from tqdm import tqdm

from crnn_jt import backend
from crnn_jt.backend import ops, ranks
from crnn_jt.checkpoint import REMEDY, RunFolder
from crnn_jt.curves import plot_curves
from crnn_jt.interruption import Interruption
from crnn_jt.learner import Learner
from crnn_jt.optimizers import learning_rate
from crnn_jt.tasks.base import Task
from crnn_jt.weights import Weights, save_weights
from data_tools.errors import UserError
from data_tools.loader import Loader

logger = logging.getLogger(__name__)


class Trainer:
    """Trains a task on a loader's batches, validates on the whole of another, and keeps a run folder.

    The run ends with the configuration's steps, or after `minutes` in all (0: no limit); then the schedule follows the
    clock. `info` goes into the weights files.
    """

    def __init__(
        self,
        folder: RunFolder,
        task: Task,
        train: Loader,
        val: Loader,
        minutes: float = 0.0,
        info: dict[str, Any] | None = None,
    ):
        self.folder, self.task, self.train_loader, self.val_loader = folder, task, train, val
        self.spec, self.minutes, self.info = folder.config.train, minutes, info or {}
        folder.best = task.best
        self.learner = Learner(task, self.spec)
        self.saved_at = -1
        self.pending: tuple | None = None  # losses, samples and number of the step whose losses were not read yet
        self.interruption = Interruption()

    @property
    def progress(self):
        """Where the run stands."""
        return self.folder.progress

    def resume(self) -> None:
        """Goes on from the run folder's checkpoint."""
        learner = self.learner
        memory = self.folder.restore(self.task.model, learner.optimizer, learner.average, writes=ranks.rank == 0)
        self.task.recall(memory)
        backend.synchronize()  # what is not yet computed would be fused otherwise than in a run that was not cut
        self.saved_at = self.progress.step

    def run(self) -> dict[str, float]:
        """Trains to the end; returns the last validation. Interrupted, it leaves a checkpoint and raises again."""
        ranks.start(self.task.model)
        try:
            with self.interruption, self._bar() as bar:
                self._catch_up()
                self._loop(bar)
        except (KeyboardInterrupt, UserError):
            if self.interruption.whole:
                self.checkpoint()
            raise
        finally:
            self.train_loader.close()
            self.val_loader.close()
            self.folder.close()
        self.checkpoint()
        validations = self.folder.validations()
        return validations[-1] if validations else {}

    def checkpoint(self, again: bool = False) -> None:
        """Writes the checkpoint, unless that of this step is there already (`again` writes it all the same)."""
        self._settle()
        if ranks.rank == 0 and (again or self.progress.step != self.saved_at):
            self.folder.save(self.task.model, self.learner.optimizer, self.learner.average, self.task.memory())
            self.saved_at = self.progress.step

    def _catch_up(self) -> None:
        """Validates where the run was interrupted in the validation that belongs to the checkpoint's step."""
        due = self.progress.step and (self.progress.step % self.spec.validate_every == 0 or self._fraction() >= 1)
        if due and all(line["step"] != self.progress.step for line in self.folder.validations()):
            self._validate()
            self.checkpoint(again=True)

    def _bar(self) -> tqdm:
        total = None if self.minutes else self.spec.steps
        return tqdm(total=total, initial=self.progress.step, unit="step", disable=ranks.rank > 0, mininterval=1)

    def _fraction(self) -> float:
        """How much of the run is done, 0-1."""
        by_steps = self.progress.step / self.spec.steps
        by_clock = self.progress.seconds / (60 * self.minutes) if self.minutes else 0.0
        return max(by_steps, by_clock)

    def _loop(self, bar: tqdm) -> None:
        self.task.model.train()
        before = time.monotonic()
        for batch in self._batches():
            with self.interruption.held():  # a checkpoint must not fall between a step and its line in the log
                self._step(batch)
                now = time.monotonic()
                self.progress.seconds += now - before
                before = now
                bar.update()
                self._report(bar, len(batch))
            ended = self._fraction() >= 1
            if self.progress.step % self.spec.validate_every == 0 or ended:
                self._validate()
                before = time.monotonic()  # validation is not training time
            if ended or self.progress.step % self.spec.checkpoint_every == 0:
                self.checkpoint()
            if ended:
                return

    def _batches(self) -> Iterator[Any]:
        """Batches from where the run stands, epoch after epoch."""
        size = self.train_loader.batches_per_epoch
        while self._fraction() < 1:
            epoch, start = divmod(self.progress.step, size)
            yield from self.train_loader.batches(epoch, start)

    def _step(self, batch: Any) -> None:
        rate = learning_rate(self.spec, self.progress.step, self._fraction())
        # dropout follows from (seed, step), so that a resumed run repeats it; a prime keeps runs of other seeds apart
        backend.seed((self.spec.seed * 1_000_003 + self.progress.step) % 2**31)
        self.task.before_step(self.progress.step + 1)
        inputs, left_out = self.task.usable(batch)
        self.progress.infeasible += left_out
        self.progress.step += 1
        self.progress.seen += len(batch) * ranks.count
        count = len(inputs)
        if not count and ranks.count > 1:  # all ranks must take part in the sums of a step
            inputs = self.task.stand_in(batch)
        if len(inputs):
            losses, count = self.learner.step(inputs, rate, self.progress.step, count)
            self._settle()  # the step before: its loss is read one step late, so that the device is never idle
            self.pending = losses, count, self.progress.step
        self.task.after_step(self.progress.step)

    def _settle(self) -> None:
        """Reads the losses of the last step, if they were not yet. Raises UserError where one is no number."""
        if self.pending is None:
            return
        (losses, count, step), self.pending = self.pending, None
        values = {name: float(ops.numpy(loss).sum()) for name, loss in losses.items()}
        for name, value in values.items():
            if not np.isfinite(value):
                raise UserError(f"the {'' if name == 'loss' else name + ' '}loss is {value} at step {step}; {REMEDY}")
        progress = self.progress
        progress.window_loss += values.pop("loss") * count
        progress.window_samples += count
        for name, value in values.items():
            progress.window_losses[name] = progress.window_losses.get(name, 0.0) + value * count

    def _report(self, bar: tqdm, batch_size: int) -> None:
        progress = self.progress
        if progress.step % self.spec.log_every:
            return
        self._settle()
        if not progress.window_samples:
            return
        loss = progress.window_loss / progress.window_samples
        parts = {f"loss/{name}": value / progress.window_samples for name, value in progress.window_losses.items()}
        progress.window_loss, progress.window_losses, progress.window_samples = 0.0, {}, 0
        rate = bar.format_dict["rate"] or 0.0
        left = f", {self.minutes - progress.seconds / 60:.0f} min left" if self.minutes else ""
        bar.set_postfix_str(f"loss {loss:.3f}, {rate * batch_size * ranks.count:.0f} samples/s{left}")
        if ranks.rank == 0:
            speed = learning_rate(self.spec, progress.step - 1, self._fraction())
            seconds = round(progress.seconds, 1)
            self.folder.log(loss=loss, **parts, learning_rate=speed, seconds=seconds, seen=progress.seen)

    def _validate(self) -> None:
        """Evaluates the averaged weights on the whole validation set; keeps the best and the last of them."""
        self._settle()
        if ranks.rank:
            return
        with self._with_average() as arrays, backend.no_grad():
            scores, examples = self.task.evaluate(self.val_loader)
        self.folder.log(**scores)
        for example in examples[:5]:
            logger.info("%s", example)
        tqdm.write(f"step {self.progress.step}: {_summary(scores)}", file=sys.stderr)
        self._keep(arrays, scores)
        plot_curves(self.folder.history(), self.task.best, self.folder.path / "curves.png")

    @contextmanager
    def _with_average(self) -> Iterator[dict[str, np.ndarray]]:
        """The model in eval mode with the averaged weights, which it yields; its own come back at the end."""
        model, average = self.task.model, self.learner.average
        own = backend.state(model)
        arrays = own
        if average is not None:
            arrays = {name: ops.numpy(value) for name, value in average.average.items()}
        try:
            with self.interruption.held():
                backend.load_state(model, arrays)
                model.eval()
            yield arrays
        finally:
            with self.interruption.held():
                backend.load_state(model, own)
                model.train()

    def _keep(self, arrays: dict[str, np.ndarray], scores: dict[str, float]) -> None:
        info = {**self.info, "step": self.progress.step, "images_seen": self.progress.seen, "validation": scores}
        weights = Weights(arrays, self.task.model.spec, info)
        save_weights(self.folder.path / "last.safetensors", weights)
        if scores[self.task.best] > self.progress.best:
            self.progress.best = scores[self.task.best]
            save_weights(self.folder.path / "best.safetensors", weights)


def _summary(scores: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in scores.items() if name != "n")
