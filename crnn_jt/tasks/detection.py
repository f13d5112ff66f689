"""Finding text: photographs and their regions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from crnn_jt.backend import ops
from crnn_jt.decoding.regions import Found
from crnn_jt.matching import Counts, count, match
from crnn_jt.models.detector import Detector
from crnn_jt.spec import Config
from crnn_jt.tasks.base import TASKS, Task
from data_tools.loader import Loader, PhotoBatch, Photos
from data_tools.photos.crop import Crop, Prepare
from data_tools.photos.lines import JoinLines


@dataclass(frozen=True)
class Pieces:
    """Photographs float32 (N, C, H, W) and the maps that are to come out, (N, H', W') each."""

    images: np.ndarray
    targets: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.images)


@TASKS.register("detection")
class Detection(Task):
    """Trains a detector on photographs with regions. Pieces are turned by up to `rotation` degrees and scaled by a
    factor from `smallest` to `largest`; without `train.augment` whole photographs are fitted into the model's size.
    It is validated on whole photographs fitted into `whole` x `whole` pixels (0: the model's size).
    """

    best = "hmean"
    regions = True

    def __init__(
        self,
        model: Detector,
        config: Config,
        rotation: float = 10.0,
        smallest: float = 0.5,
        largest: float = 2.0,
        whole: int = 0,
    ):
        super().__init__(model, config)
        if whole % model.multiple:
            raise ValueError(f"whole {whole}: it takes a multiple of {model.multiple}")
        image, self.whole = model.spec.image, whole
        self.crop = Crop(image.height, image.width, rotation, (smallest, largest))
        self.weights = model.head.weights

    def collate(self, training: bool) -> Photos:
        """Pieces with their maps while training, else whole photographs fitted into the model's size."""
        image = self.model.spec.image
        crop = self.crop if training and self.config.train.augment else None
        join = JoinLines() if self.model.spec.unit == "lines" else None
        prepare = Prepare(join, crop) if join or crop else None
        if not training:
            return Photos(self.whole or image.height, self.whole or image.width, image.channels, prepare)
        return Photos(image.height, image.width, image.channels, prepare, self.model.head.targets(self.model.stride))

    def usable(self, batch: PhotoBatch) -> tuple[Pieces, int]:
        """All of them: a photograph without text teaches too."""
        return Pieces(batch.images, batch.targets), 0

    def stand_in(self, batch: PhotoBatch) -> Pieces:
        """An empty photograph without text."""
        image = self.model.spec.image
        made = self.model.head.targets(self.model.stride)((), image.height, image.width)
        targets = {name: np.float32(values)[None] for name, values in made.items()}
        return Pieces(np.zeros((1, image.channels, image.height, image.width), np.float32), targets)

    def losses(self, inputs: Pieces) -> dict[str, Any]:
        """Those of the model's head."""
        return self.model.losses(ops.array(inputs.images), inputs.targets)

    def evaluate(self, loader: Loader) -> tuple[dict[str, float], list]:
        """H-mean, recall and precision at IoU 0.5 over all photographs, and those of which something was missed."""
        total, photographs, examples = Counts(), 0, []
        for batch in loader.batches():
            if not len(batch):
                continue
            for found, regions, key in zip(self._find(batch), batch.regions, batch.keys):
                matched = match([each.polygon for each in found], regions)
                total, photographs = total + count(matched), photographs + 1
                if len(matched.pairs) < len(matched.truths):
                    missed = len(matched.truths) - len(matched.pairs)
                    examples.append(f"{key}: {missed} of {len(matched.truths)} regions missed")
        return {"n": photographs, **total.scores()}, examples

    def _find(self, batch: PhotoBatch) -> list[list[Found]]:
        """What is found in each photograph, in the batch's pixels."""
        return self.model.find(self.model.features(ops.array(batch.images)), batch.sizes)
