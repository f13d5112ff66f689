"""Reading lines of symbols: pictures and their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crnn_jt.backend import ops
from crnn_jt.decoding.ctc import Reading, feasible, pad
from crnn_jt.evaluation import evaluate
from crnn_jt.frozen_stages import KEPT, FrozenStages
from crnn_jt.kinship import Kinship
from crnn_jt.models.recognizer import Recognizer, transform_of
from crnn_jt.spec import Config
from crnn_jt.tasks.base import TASKS, Task
from data_tools.augmentations import PICTURES
from data_tools.loader import Batch, Loader, TextLines


@dataclass(frozen=True)
class Lines:
    """Images float32 (N, C, H, W), their own widths (N,), targets (N, S) padded with 0 and their lengths (N,)."""

    images: np.ndarray
    widths: np.ndarray
    targets: np.ndarray
    sizes: np.ndarray

    def __len__(self) -> int:
        return len(self.images)


@TASKS.register("recognition")
class Recognition(Task):
    """Trains a recogniser on labelled lines.

    `kinship` is how strongly symbols learn from each other's samples where they share a part, such as notes of one
    pitch (0: not at all). With `frozen` extractor and refiner (and rectifier) stay as `--init` gives them: generator
    and corrector learn from what these see, at less than half of the price.
    """

    augmentations = tuple(PICTURES)
    taught = "distillation"

    def __init__(self, model: Recognizer, config: Config, kinship: float = 0.0, frozen: bool = False):
        super().__init__(model, config)
        self.frozen = FrozenStages(model) if frozen else None
        self.kinship = Kinship(model.tokenizer.parts(), kinship, model.symbol_rows) if kinship else None

    def groups(self) -> dict[str, dict[str, Any]]:
        """All parameters but those of frozen stages."""
        found = super().groups()
        if self.frozen is None:
            return found
        kept = tuple(f"{stage}." for stage in KEPT)
        return {
            group: {name: value for name, value in own.items() if not name.startswith(kept)}
            for group, own in found.items()
        }

    @property
    def best(self) -> str:
        """The share of labels read exactly."""
        return "sequence_accuracy" if self.model.tokenizer.separator else "accuracy"

    @property
    def bucketed(self) -> bool:
        """Pictures in their own proportions are bucketed by width."""
        return self.model.spec.image.resize == "proportional"

    @property
    def unusable(self) -> str:
        """Its label does not fit into the steps, or is longer than the spec allows."""
        return f"the model cannot write a label so long (labels.max_length is {self.model.spec.labels.max_length})"

    def accept(self, text: str) -> str | None:
        """The tokenizer's policy."""
        return self.model.tokenizer.accept(text)

    def collate(self, training: bool) -> TextLines:
        """Pictures as the model wants them, changed at random while training."""
        return TextLines(transform_of(self.model.spec), self.augment(training))

    def usable(self, batch: Batch) -> tuple[Lines, int]:
        """The samples whose label the generator can emit."""
        learnable = self._learnable(batch)
        kept = list(learnable)
        targets, sizes = pad(list(learnable.values()))
        images = batch.images if len(kept) == len(batch) else batch.images[kept]
        return Lines(images, batch.widths[kept], targets, sizes), len(batch) - len(kept)

    def _learnable(self, batch: Batch) -> dict[int, list[int]]:
        """Their symbols by their places in the batch."""
        encoded = [self.model.tokenizer.encode(text) for text in batch.texts]
        longest = self.model.spec.labels.max_length
        steps = self.model.steps(batch.widths) if self.model.generator.framewise else None
        return {
            n: target
            for n, target in enumerate(encoded)
            if 0 < len(target) <= longest and (steps is None or feasible(target, int(steps[n])))
        }

    def stand_in(self, batch: Batch) -> Lines:
        """One image, of the batch if it has any, with a label of one symbol."""
        images, widths = batch.images[:1], batch.widths[:1]
        if not len(images):
            images, widths = np.zeros((1, *batch.images.shape[1:]), np.float32), np.array([batch.images.shape[3]])
        return Lines(images, widths, np.ones((1, 1), np.int64), np.ones(1, np.int64))

    def losses(self, inputs: Lines) -> dict[str, Any]:
        """Those of the model's generator, and of its corrector if it has one."""
        if self.frozen is not None:
            return self.model.teach(*self.frozen.see(inputs.images, inputs.widths), inputs.targets, inputs.sizes)
        return self.model.losses(ops.array(inputs.images), inputs.widths, inputs.targets, inputs.sizes)

    def adjust(self, names: Sequence[str], gradients: list) -> list:
        """Gradients shared among kin."""
        return gradients if self.kinship is None else self.kinship.share(names, gradients)

    def evaluate(self, loader: Loader) -> tuple[dict[str, float], list]:
        """Word (or symbol) scores over every usable sample, and the wrong readings."""
        return evaluate(loader, self._read, self.model.tokenizer)

    def _read(self, images: np.ndarray, widths: np.ndarray) -> list[Reading]:
        return self.model.generator.decode(*self.model.log_probs(images, widths))
