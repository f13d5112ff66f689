"""Run folders: everything that a training needs to go on, in one file that is written whole or not at all.

`spec.yaml`; `checkpoint.safetensors` (weights, optimiser, averages, step, progress); `best.safetensors`,
`last.safetensors` (weights only); `metrics.jsonl`, cut back to the checkpoint's step on resume; `curves.png`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from safetensors.numpy import save

from crnn_jt.backend import load_state, ops, state
from crnn_jt.optimizers import EMA, Optimizer
from crnn_jt.spec import Config, from_dict, to_dict
from crnn_jt.weights import check, read_safetensors
from data_tools.errors import UserError
from data_tools.files import write_bytes, write_text

REMEDY = "lower train.learning_rate or set train.clip, then --resume from the checkpoint before it"


@dataclass
class Progress:
    """Where a training stands; the position in the data follows from `step`.

    `seconds` of training so far, over all resumptions; `best` score yet (-1: none); `window_*` are sums over the
    samples since the last line of the log: the loss, each named loss, and how many samples. `infeasible` counts the
    samples left out by the task, of `seen` in all; `data` describes what is learnt from.
    """

    step: int = 0
    seconds: float = 0.0
    best: float = -1.0
    window_loss: float = 0.0
    window_losses: dict[str, float] = field(default_factory=dict)
    window_samples: int = 0
    infeasible: int = 0
    seen: int = 0
    data: str = ""


@dataclass
class RunFolder:
    """A run folder. `best` names the score by which weights are kept: lines of `metrics.jsonl` with it are validations.
    `tensorboard` is a writer, once it is open.
    """

    path: Path
    config: Config
    best: str = "accuracy"
    progress: Progress = field(default_factory=Progress)
    tensorboard: Any = None

    @property
    def checkpoint(self) -> Path:
        """The file that a resumed run starts from."""
        return self.path / "checkpoint.safetensors"

    @property
    def metrics(self) -> Path:
        """One JSON object a line: training losses and validations."""
        return self.path / "metrics.jsonl"

    def create(self) -> None:
        """Makes the folder and writes `spec.yaml`. Raises UserError where a run is there already; one that was killed
        before its first checkpoint left nothing to go on from, and is begun anew.
        """
        if any((self.path / f"{name}.safetensors").exists() for name in ("checkpoint", "best", "last")):
            raise UserError(f"--out {self.path}: holds a run already; add --resume, or name another folder")
        write_text(self.path / "spec.yaml", yaml.safe_dump(to_dict(self.config), sort_keys=False, allow_unicode=True))
        self.metrics.unlink(missing_ok=True)

    def save(
        self, module, optimizer: Optimizer, average: EMA | None, memory: Mapping[str, np.ndarray] | None = None
    ) -> None:
        """Writes the checkpoint, with what the task remembers (`memory`); the one before it stays until this one is
        whole.
        """
        arrays = {f"model/{name}": value for name, value in state(module).items()}
        arrays |= {f"task/{name}": value for name, value in (memory or {}).items()}
        arrays |= {f"slots/{name}": ops.numpy(value) for name, value in optimizer.state.items()}
        if average is not None:
            arrays |= {f"average/{name}": ops.numpy(value) for name, value in average.average.items()}
        metadata = {"progress": json.dumps(asdict(self.progress)), "config": json.dumps(to_dict(self.config))}
        contiguous = {name: np.ascontiguousarray(value, np.float32) for name, value in arrays.items()}
        wrong = next((name for name, value in contiguous.items() if not np.isfinite(value).all()), None)
        if wrong is not None:
            raise UserError(f"{wrong} is not finite at step {self.progress.step}: {REMEDY}")
        write_bytes(self.checkpoint, save(contiguous, metadata))

    def restore(self, module, optimizer: Optimizer, average: EMA | None, writes: bool = True) -> dict[str, np.ndarray]:
        """Sets module, optimiser, averages and progress from the checkpoint; returns what the task remembered. The one
        process that `writes` in this folder also cuts `metrics.jsonl` back to it, and removes files that a killed one
        left half written. Raises UserError where there is no checkpoint, or it is of another model or optimiser.
        """
        if not self.checkpoint.is_file():
            raise UserError(f"--resume: no {self.checkpoint}; start the run without --resume")
        arrays, metadata = read_safetensors(self.checkpoint)
        self._adopt(metadata)
        parts: dict[str, dict[str, np.ndarray]] = {"model": {}, "slots": {}, "average": {}, "task": {}}
        for key, value in arrays.items():
            part, _, name = key.partition("/")
            parts.setdefault(part, {})[name] = value
        check(parts["model"], state(module), str(self.checkpoint))
        load_state(module, parts["model"])
        optimizer.steps = self.progress.step
        _fill(optimizer.state, parts["slots"], self.checkpoint)
        if average is not None:
            _fill(average.average, parts["average"], self.checkpoint)
        if writes:
            self._cut_metrics()
            for left in self.path.glob(".*.part"):
                left.unlink(missing_ok=True)
        return parts["task"]

    def _adopt(self, metadata: dict[str, str]) -> None:
        """Takes over the progress, if the checkpoint is of this configuration's model and optimiser."""
        try:
            self.progress = Progress(**json.loads(metadata["progress"]))
            saved = from_dict(Config, json.loads(metadata["config"]))
        except (KeyError, ValueError, TypeError) as error:
            raise UserError(f"{self.checkpoint}: is no checkpoint of a training") from error
        if saved.model != self.config.model or saved.train.optimizer != self.config.train.optimizer:
            raise UserError(
                f"--resume: {self.checkpoint} was written with another model or optimiser than --config names"
            )

    def _cut_metrics(self) -> None:
        """Drops the lines written after the checkpoint: the resumed run writes them again, and they must not stand
        twice.
        """
        if not self.metrics.exists():
            return
        kept = []
        for line in self.metrics.read_text(encoding="utf-8").splitlines():
            try:
                if json.loads(line)["step"] <= self.progress.step:
                    kept.append(line)
            except (ValueError, KeyError, TypeError):
                continue  # a line that the interruption cut short
        write_text(self.metrics, "".join(line + "\n" for line in kept))

    def log(self, **values: Any) -> None:
        """Appends a line to `metrics.jsonl`."""
        line = json.dumps({"step": self.progress.step, **values})
        try:
            with open(self.metrics, "a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise UserError(
                f"{self.metrics}: cannot be written ({error.strerror}); free space, then --resume"
            ) from error
        if self.tensorboard is not None:
            for name, value in values.items():
                self.tensorboard.add_scalar(name, value, self.progress.step)

    def open_tensorboard(self) -> None:
        """From now on, lines of `metrics.jsonl` go to TensorBoard too; a resumed run replaces what was logged after its
        checkpoint. Raises UserError without tensorboardX.
        """
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise UserError("--tensorboard: pip install tensorboardX, or leave the option out") from error
        self.tensorboard = SummaryWriter(str(self.path / "tensorboard"), purge_step=self.progress.step + 1)

    def close(self) -> None:
        """Flushes pending TensorBoard lines."""
        if self.tensorboard is not None:
            self.tensorboard.close()
            self.tensorboard = None

    def history(self) -> list[dict[str, Any]]:
        """All lines of `metrics.jsonl`."""
        if not self.metrics.exists():
            return []
        return [json.loads(line) for line in self.metrics.read_text(encoding="utf-8").splitlines()]

    def validations(self) -> list[dict[str, Any]]:
        """The lines of `metrics.jsonl` that are validations."""
        return [line for line in self.history() if self.best in line]


def _fill(own: dict, arrays: dict[str, np.ndarray], path: Path) -> None:
    """Replaces the values of `own` by the arrays of the same names. Raises UserError where they do not fit."""
    check(arrays, {name: np.empty(tuple(value.shape)) for name, value in own.items()}, str(path))
    for name, value in arrays.items():
        own[name] = ops.array(value)
