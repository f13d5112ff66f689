"""The training loop: framework-free but for what the seam offers."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from crnn_jt import backend
from crnn_jt.backend import ops, ranks
from crnn_jt.checkpoint import REMEDY, Run
from crnn_jt.decoding.ctc import Reading, feasible, pad
from crnn_jt.evaluation import evaluate
from crnn_jt.interruption import Interruption
from crnn_jt.kinship import Kinship
from crnn_jt.optimizers import Average, Optimizer, learning_rate
from crnn_jt.recognizer import Recognizer
from crnn_jt.weights import Weights, save_weights
from data_tools.errors import UserError
from data_tools.loader import Batch, Loader

logger = logging.getLogger(__name__)


@dataclass
class Limits:
    """When a run ends before its steps do: after `minutes` in all (0: never); then the schedule follows the clock."""

    minutes: float = 0.0


class Trainer:
    """Trains a recogniser on a loader's batches, validates on the whole of another, and keeps a run folder."""

    def __init__(
        self, run: Run, recognizer: Recognizer, train: Loader, val: Loader, limits: Limits, info: dict[str, Any]
    ):
        self.run_folder, self.recognizer, self.train_loader, self.val_loader = run, recognizer, train, val
        self.spec, self.limits, self.info = run.config.train, limits, info
        self.optimizer = Optimizer(self.spec, backend.parameters(recognizer))
        self.average = Average(self.spec.ema, backend.tensors(recognizer)) if self.spec.ema else None
        self.kinship = Kinship(recognizer.tokenizer.parts(), self.spec.kinship) if self.spec.kinship else None
        self.saved_at = -1
        self.pending: tuple | None = None  # loss, samples and number of the step whose loss was not read yet
        self.interruption = Interruption()
        backend.precision(self.spec.precision)  # refused before anything is written

    @property
    def progress(self):
        return self.run_folder.progress

    def resume(self) -> None:
        """Goes on from the run folder's checkpoint."""
        self.run_folder.restore(self.recognizer, self.optimizer, self.average, writes=ranks.rank == 0)
        self.saved_at = self.progress.step

    def run(self) -> dict[str, float]:
        """Trains to the end; returns the last validation. Interrupted, it leaves a checkpoint and raises again."""
        ranks.start(self.recognizer)
        try:
            with self.interruption, self._bar() as bar:
                self._catch_up()
                self._loop(bar)
        except (KeyboardInterrupt, UserError):
            if self.interruption.whole:
                self._checkpoint()
            raise
        finally:
            self.train_loader.close()
            self.val_loader.close()
            self.run_folder.close()
        self._checkpoint()
        validations = self.run_folder.validations()
        return validations[-1] if validations else {}

    def _catch_up(self) -> None:
        """Validates where the run was interrupted in the validation that belongs to the checkpoint's step."""
        due = self.progress.step and (self.progress.step % self.spec.validate_every == 0 or self._fraction() >= 1)
        if due and all(line["step"] != self.progress.step for line in self.run_folder.validations()):
            self._validate()
            self._checkpoint(again=True)

    def _bar(self) -> tqdm:
        total = None if self.limits.minutes else self.spec.steps
        return tqdm(total=total, initial=self.progress.step, unit="step", disable=ranks.rank > 0, mininterval=1)

    def _fraction(self) -> float:
        """How much of the run is done, 0-1."""
        by_steps = self.progress.step / self.spec.steps
        by_clock = self.progress.seconds / (60 * self.limits.minutes) if self.limits.minutes else 0.0
        return max(by_steps, by_clock)

    def _loop(self, bar: tqdm) -> None:
        self.recognizer.train()
        before = time.monotonic()
        for batch in self._batches():
            with self.interruption.held():  # a checkpoint must not fall between a step and its line in the log
                self._step(batch)
                now = time.monotonic()
                self.progress.seconds += now - before
                before = now
                bar.update()
                self._report(bar, len(batch.texts))
            ended = self._fraction() >= 1
            if self.progress.step % self.spec.validate_every == 0 or ended:
                self._validate()
                before = time.monotonic()  # validation is not training time
            if ended or self.progress.step % self.spec.checkpoint_every == 0:
                self._checkpoint()
            if ended:
                return

    def _batches(self) -> Iterator[Batch]:
        """Batches from where the run stands, epoch after epoch."""
        size = self.train_loader.batches_per_epoch
        while self._fraction() < 1:
            epoch, start = divmod(self.progress.step, size)
            yield from self.train_loader.batches(epoch, start)

    def _step(self, batch: Batch) -> None:
        rate = learning_rate(self.spec, self.progress.step, self._fraction())
        backend.seed((self.spec.seed * 1_000_003 + self.progress.step) % 2**31)
        images, widths, targets, sizes = self._targets(batch)
        self.progress.step += 1
        self.progress.seen += len(batch.texts) * ranks.count
        count = len(images)
        if not count and ranks.count > 1:  # all ranks must take part in the sums of a step
            images, widths, targets, sizes = _blank(batch)
        if len(images):
            loss, count = self._update(images, widths, targets, sizes, rate, count)
            self._settle()  # the step before: while its loss is waited for, an accelerator has this one to work on
            self.pending = loss, count, self.progress.step

    def _settle(self) -> None:
        """Takes in the loss of the last step, if it was not yet. Raises UserError where it is no number."""
        if self.pending is None:
            return
        (loss, count, step), self.pending = self.pending, None
        value = float(ops.numpy(loss).sum())
        if not np.isfinite(value):
            raise UserError(f"the loss is {value} at step {step}; {REMEDY}")
        self.progress.window_loss += value * count
        self.progress.window_samples += count

    def _update(self, images, widths, targets, sizes, rate: float, count: int) -> tuple:
        """One optimiser step from this rank's `count` samples; returns loss and count over all ranks."""
        with backend.precision(self.spec.precision):
            logits, lengths = self.recognizer(ops.array(images), widths, targets)
            loss = self.recognizer.generator.loss(logits, targets, sizes, lengths)
        if ranks.count > 1:  # before the gradients: through synchronised statistics they reach other ranks' samples
            loss = loss * count
        gradients = backend.gradients(loss, list(self.optimizer.parameters.values()))
        if ranks.count > 1:
            loss, gradients, count = _shared(loss, gradients, count)
        if self.kinship is not None:
            gradients = self.kinship.share(list(self.optimizer.parameters), gradients)
        if count:
            self.optimizer.step(gradients, rate)
            if self.average is not None:
                self.average.update(self.progress.step)
        backend.flush()
        return loss, count

    def _targets(self, batch: Batch) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Images, widths, targets (N, S), their lengths; what the generator cannot emit is counted and left out."""
        encoded = [self.recognizer.tokenizer.encode(text) for text in batch.texts]
        longest = self.recognizer.spec.labels.max_length
        steps = self.recognizer.steps(batch.widths) if self.recognizer.generator.aligned else None
        kept = [
            n
            for n, target in enumerate(encoded)
            if 0 < len(target) <= longest and (steps is None or feasible(target, int(steps[n])))
        ]
        self.progress.infeasible += len(encoded) - len(kept)
        targets, sizes = pad([encoded[n] for n in kept])
        images = batch.images if len(kept) == len(encoded) else batch.images[kept]
        return images, batch.widths[kept], targets, sizes

    def _report(self, bar: tqdm, batch_size: int) -> None:
        progress = self.progress
        if progress.step % self.spec.log_every:
            return
        self._settle()
        if not progress.window_samples:
            return
        loss = progress.window_loss / progress.window_samples
        progress.window_loss, progress.window_samples = 0.0, 0
        rate = bar.format_dict["rate"] or 0.0
        left = f", {self.limits.minutes - progress.seconds / 60:.0f} min left" if self.limits.minutes else ""
        bar.set_postfix_str(f"loss {loss:.3f}, {rate * batch_size * ranks.count:.0f} images/s{left}")
        if ranks.rank == 0:
            speed = learning_rate(self.spec, progress.step - 1, self._fraction())
            self.run_folder.log(loss=loss, learning_rate=speed, seconds=round(progress.seconds, 1), seen=progress.seen)

    def _validate(self) -> None:
        """The whole validation set with the averaged weights; keeps the best and the last of them."""
        self._settle()
        if ranks.rank:
            return
        with self._averaged() as arrays, backend.no_grad():
            scores, examples = evaluate(self.val_loader, self._readings, self.recognizer.tokenizer)
        self.run_folder.log(**scores)
        for line in examples[:5]:
            logger.info("%s", line)
        accuracy = scores.get("accuracy", scores.get("sequence_accuracy", 0.0))
        tqdm.write(f"step {self.progress.step}: {_summary(scores)}", file=sys.stderr)
        self._keep(arrays, scores, accuracy)
        plot_curves(self.run_folder.history(), self.run_folder.folder / "curves.png")

    @contextmanager
    def _averaged(self) -> Iterator[dict[str, np.ndarray]]:
        """The recogniser in eval mode with the averaged weights, which it yields; its own come back at the end."""
        own = backend.state(self.recognizer)
        arrays = own
        if self.average is not None:
            arrays = {name: ops.numpy(value) for name, value in self.average.average.items()}
        try:
            with self.interruption.held():
                backend.load_state(self.recognizer, arrays)
                self.recognizer.eval()
            yield arrays
        finally:
            with self.interruption.held():
                backend.load_state(self.recognizer, own)
                self.recognizer.train()

    def _readings(self, images: np.ndarray, widths: np.ndarray) -> list[Reading]:
        return self.recognizer.generator.decode(*self.recognizer.log_probs(images, widths))

    def _keep(self, arrays: dict[str, np.ndarray], scores: dict[str, float], accuracy: float) -> None:
        info = {**self.info, "step": self.progress.step, "images_seen": self.progress.seen, "validation": scores}
        weights = Weights(arrays, self.recognizer.spec, info)
        save_weights(self.run_folder.folder / "last.safetensors", weights)
        if accuracy > self.progress.best:
            self.progress.best = accuracy
            save_weights(self.run_folder.folder / "best.safetensors", weights)

    def _checkpoint(self, again: bool = False) -> None:
        self._settle()
        if ranks.rank == 0 and (again or self.progress.step != self.saved_at):
            self.run_folder.save(self.recognizer, self.optimizer, self.average)
            self.saved_at = self.progress.step


def _shared(loss, gradients: list, count: int) -> tuple:
    """Loss, gradients and count of the whole batch from those of this rank, loss and gradients times its `count`: the
    mean over all samples, as one process has it. Only the image that stands in where a rank has nothing usable is
    counted in the batch statistics.
    """
    with backend.no_grad():
        sums = ranks.mean([ops.array(np.float32([count])), loss, *gradients])
        mean_count = float(ops.numpy(sums[0]).sum())
        scaled = [x * (1 / max(mean_count, 1e-9)) for x in sums[1:]]
    return scaled[0], scaled[1:], round(mean_count * ranks.count)


def _blank(batch: Batch) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """One image, of the batch if it has any, with a label that any model can emit: it stands in, without weight, for a
    rank's samples that are all unusable.
    """
    images, widths = batch.images[:1], batch.widths[:1]
    if not len(images):
        images, widths = np.zeros((1, *batch.images.shape[1:]), np.float32), np.array([batch.images.shape[3]])
    return images, widths, np.ones((1, 1), np.int64), np.ones(1, np.int64)


def _summary(scores: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in scores.items() if name != "n")


def plot_curves(history: list[dict[str, Any]], path: Path) -> None:
    """Loss and validation over steps, as a PNG."""
    from matplotlib.figure import Figure

    from data_tools.files import atomic_file

    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    losses = [(line["step"], line["loss"]) for line in history if "loss" in line]
    if losses:
        left.plot(*zip(*losses))
        left.set_yscale("log")
    left.set(xlabel="step", ylabel="training loss")
    for name in ("accuracy", "ned", "cer", "sequence_accuracy", "ser"):
        points = [(line["step"], line[name]) for line in history if name in line]
        if points:
            right.plot(*zip(*points), marker=".", label=name)
            right.legend()
    right.set(xlabel="step", ylabel="validation, %", ylim=(0, 100))
    with atomic_file(path) as file:
        figure.savefig(file, format="png", dpi=100)
