"""A spotter that reads at low resolutions what its teacher reads at full size.

Source: Chen et al., "Dynamic low-resolution distillation for cost-efficient end-to-end text spotting" (ECCV 2022),
sequential knowledge distillation. The student is as a rule the same network, begun from the teacher's weights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from crnn_jt import backend
from crnn_jt.backend import ops
from crnn_jt.distilling import WAYS, check_generator, distance, learn
from crnn_jt.models import restore
from crnn_jt.models.branch import Words
from crnn_jt.models.spotter import Spotter
from crnn_jt.spec import Config
from crnn_jt.tasks.base import TASKS
from crnn_jt.tasks.detection import Pieces
from crnn_jt.tasks.spotting import Scenes, Spotting
from crnn_jt.weights import load_weights
from data_tools.errors import UserError
from data_tools.loader import PhotoBatch
from data_tools.photos.scaling import resize

OWN_WAYS = (*WAYS, "none")


@dataclass(frozen=True)
class Pair:
    """Photographs as the student sees them, and the same at full size (N, C, H, W) with the quads there."""

    scenes: Scenes
    images: np.ndarray
    words: Words

    def __len__(self) -> int:
        return len(self.scenes)


@TASKS.register("distilled-spotting")
class DistilledSpotting(Spotting):
    """Trains a spotter at the `scales`, one drawn at each step, on what the weights `teacher` read at full size.

    `by` is as in the task `distillation`; none leaves the teacher out, which is plain training at several scales.
    `labels`, `features` and `hidden` weigh the losses of the labels and the squared distances of the regions' sequences
    before and after the refiner. The other options are those of `spotting`. Raises UserError where teacher and student
    do not go together.
    """

    taught = "distilled-spotting"

    def __init__(
        self,
        model: Spotter,
        config: Config,
        teacher: str = "",
        by: str = "sequences",
        beams: int = 3,
        labels: float = 1.0,
        features: float = 1.0,
        hidden: float = 1.0,
        scales: tuple[float, ...] = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
        rotation: float = 10.0,
        smallest: float = 0.5,
        largest: float = 2.0,
        whole: int = 0,
        words: int = 16,
        jitter: float = 0.1,
    ):
        if not teacher:
            raise ValueError("name the weights of its teacher")
        super().__init__(model, config, rotation, smallest, largest, whole, words, jitter=jitter)
        if by not in OWN_WAYS:
            raise ValueError(f"by {by!r}: it takes {' or '.join(OWN_WAYS)}")
        if beams < 1 or not scales or not all(0 < scale <= 1 for scale in scales):
            raise ValueError("beams takes 1 or more, scales numbers above 0, at most 1")
        self.teacher = restore(load_weights(teacher), teacher, "spotter")
        self.others = (self.teacher,)
        self.by, self.beams, self.scales = by, beams, scales
        self.weights = {**self.weights, "text": labels, "features": features, "hidden": hidden}
        self.compared = {"features": features, "hidden": hidden} if by != "none" else {}
        _check(model, self.teacher, teacher, self.compared)

    def scale_at(self, step: int) -> float:
        """What the student sees at a step."""
        return float(np.random.default_rng((self.config.train.seed, step)).choice(self.scales))

    def usable(self, batch: PhotoBatch) -> tuple[Pair, int]:
        """All photographs, at full size and at the step's scale."""
        scenes, left_out = super().usable(batch)
        return self._shrink(batch, scenes.words, self.scale_at(self._step)), left_out

    def stand_in(self, batch: PhotoBatch) -> Pair:
        """An empty photograph, as the other ranks have it."""
        image = self.model.spec.image
        empty = np.zeros((1, image.channels, image.height, image.width), np.float32)
        words = super().stand_in(batch).words
        one = replace(batch, images=empty, regions=[()], keys=[""])
        return self._shrink(one, words, self.scale_at(self._step))

    def _shrink(self, batch: PhotoBatch, words: Words, scale: float) -> Pair:
        """The pair at a scale, the student's sides as multiples of what it takes."""
        multiple, stride = self.model.multiple, self.model.stride
        height, width = (max(multiple, round(side * scale / multiple) * multiple) for side in batch.images.shape[2:])
        images = np.stack([resize(image, height, width) for image in batch.images])
        factors = np.float32([width / batch.images.shape[3], height / batch.images.shape[2]])
        regions = [[replace(each, polygon=each.polygon * factors) for each in own] for own in batch.regions]
        make = self.model.head.targets(stride)
        each = [make(own, height, width) for own in regions]
        targets = {name: np.stack([np.float32(one[name]) for one in each]) for name in each[0]}
        quads = [[quad * factors for quad in own] for own in words.quads]
        return Pair(Scenes(Pieces(images, targets), replace(words, quads=quads)), batch.images, words)

    def losses(self, inputs: Pair) -> dict[str, Any]:
        """Those of the head, `text` of the labels, and of the teacher `teacher`, `features`, `hidden`."""
        pieces, words = inputs.scenes.pieces, inputs.scenes.words
        features = self.model.features(ops.array(pieces.images))
        seen, lengths = self.model.look_inside(features, words.quads, words.widths)
        sequence = self.model.refine(seen, lengths)
        found = self.model.head.losses(features, pieces.targets)
        found["text"] = self.model.text_loss(sequence, lengths, words)
        if self.by == "none":
            return found
        with backend.no_grad():
            whole = self.teacher.features(ops.array(inputs.images))
            taught, own = self.teacher.look_inside(whole, inputs.words.quads, words.widths)
            refined = self.teacher.refine(taught, own)
        pairs = {"features": (seen, taught), "hidden": (sequence, refined)}
        found |= {
            name: distance(*pairs[name], lengths, words.shares) for name, weight in self.compared.items() if weight
        }
        student, teacher = (self.model.generator, sequence, lengths), (self.teacher.generator, refined, own)
        longest = self.model.spec.labels.max_length
        own = learn(self.by, student, teacher, words.targets, words.sizes, words.shares, self.beams, longest)
        return {**found, "teacher": own}


def _check(model: Spotter, teacher: Spotter, name: str, compared: dict[str, float]) -> None:
    """Raises UserError where the two do not go together."""
    check_generator(teacher.generator)
    if teacher.tokenizer.symbols != model.tokenizer.symbols:
        raise UserError(f"--teacher {name}: reads other symbols than {model.spec.name}")
    if teacher.spec.region != model.spec.region:
        raise UserError(f"--teacher {name}: cuts other regions than {model.spec.name}")
    pairs = {
        "features": (model.branch.out_channels, teacher.branch.out_channels),
        "hidden": (model.refiner.out_features, teacher.refiner.out_features),
    }
    for key, (own, other) in pairs.items():
        if compared.get(key) and own != other:
            raise UserError(f"--teacher {name}: {key} are {other} numbers a step, the student's {own}; set {key} to 0")
