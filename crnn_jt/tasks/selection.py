"""Learning how large a photograph must be looked at: what is lost at each resolution against what it costs.

Source: Chen et al., "Dynamic low-resolution distillation for cost-efficient end-to-end text spotting" (ECCV 2022).
There selector and student learn at once; here the student is a model that reads at several scales already (see the task
`distilled-spotting`) and stays as it is, so that either can be replaced without the other.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crnn_jt.backend import ops
from crnn_jt.judging import Judge, judge_of
from crnn_jt.models import restore
from crnn_jt.models.selector import Selector, hard_gumbel
from crnn_jt.spec import Config
from crnn_jt.tasks.base import TASKS, Task
from crnn_jt.weights import load_weights
from data_tools.errors import UserError
from data_tools.loader import Loader, PhotoBatch, Photos
from data_tools.photos.crop import Crop, Prepare
from data_tools.photos.scaling import rescale
from data_tools.sample import Region

COLDEST = 0.05
"""The temperature falls no further: beyond, slopes are nothing or everything."""


@dataclass(frozen=True)
class Choices:
    """Photographs in small (N, C, h, w); what each loses at each scale and what that costs, (N, k) each, the cost as a
    share of looking at full size; and the noise of the choice (N, k).
    """

    images: np.ndarray
    lost: np.ndarray
    costs: np.ndarray
    noise: np.ndarray

    def __len__(self) -> int:
        return len(self.images)


@TASKS.register("selection")
class Selection(Task):
    """Trains a selector for the weights `student`, a spotter or a detector, which stay as they are.

    Descended is `lost`, what the photograph loses at the scale chosen (`judging`; the texts are those of the weights
    `teacher`, if given, else the student's own at full size), and `gamma` times `cost`, the multiply-adds at that scale
    as a share of those at full size. The choice is a hard Gumbel softmax, whose temperature begins at `temperature` and
    falls by `decay` every `epoch` steps. Raises UserError where the models do not go together.
    """

    best = "worth"
    taught = "selection"
    regions = True
    model: Selector

    def __init__(
        self,
        model: Selector,
        config: Config,
        student: str = "",
        teacher: str = "",
        gamma: float = 0.1,
        temperature: float = 5.0,
        decay: float = 0.965,
        epoch: int = 1000,
        beams: int = 3,
        smallest: float = 0.25,
        largest: float = 2.0,
    ):
        if not student:
            raise ValueError("name the weights of its student")
        super().__init__(model, config)
        if not 0 < decay <= 1 or temperature <= 0 or min(epoch, beams) < 1:
            raise ValueError("decay takes more than 0, at most 1; temperature more than 0; epoch and beams 1 or more")
        weights = load_weights(student)
        self.student = restore(weights, student, "spotter" if weights.spec.kind == "spotter" else "detector")
        self.teacher = restore(load_weights(teacher), teacher, weights.spec.kind) if teacher else self.student
        image, other = model.spec.image, self.student.spec.image
        if image.channels != other.channels:
            raise UserError(f"{student}: sees {other.channels} channels, the selector {image.channels}")
        for name in ("height", "width"):
            if getattr(image, name) % self.student.multiple:
                raise UserError(f"image.{name} {getattr(image, name)}: it takes a multiple of {self.student.multiple}")
        self.others = (self.student,) if self.teacher is self.student else (self.student, self.teacher)
        self.judge: Judge = judge_of(self.student, self.teacher, beams)
        self._judged: dict[tuple[str, int], np.ndarray] = {}
        self.gamma, self.weights = gamma, {"cost": gamma}
        self.schedule, self._step = (temperature, decay, epoch), 0
        self.crop = Crop(image.height, image.width, 10.0, (smallest, largest))

    @property
    def temperature(self) -> float:
        """Of the step in progress."""
        first, decay, epoch = self.schedule
        return max(COLDEST, first * decay ** (max(0, self._step - 1) // epoch))

    def before_step(self, step: int) -> None:
        """Noise and temperature follow from the step."""
        self._step = step

    def collate(self, training: bool) -> Photos:
        """Photographs at full size, while training pieces at all zooms."""
        image = self.model.spec.image
        prepare = Prepare(None, self.crop) if training and self.config.train.augment else None
        return Photos(image.height, image.width, image.channels, prepare)

    def usable(self, batch: PhotoBatch) -> tuple[Choices, int]:
        """All photographs; one without text is best looked at in small."""
        scales, seed = self.model.spec.scales, self.config.train.seed
        rngs = [np.random.default_rng((seed, self._step, zlib.crc32(key.encode()))) for key in batch.keys]
        noise = np.array([rng.gumbel(size=len(scales)) for rng in rngs], np.float32).reshape(-1, len(scales))
        pictures = _own_pixels(batch)
        lost = [self.judge(picture, regions, scales) for picture, regions in zip(pictures, batch.regions)]
        costs = [self.costs(*picture.shape[1:]) for picture in pictures]
        looks = [rescale(image, self.model.spec.look) for image in batch.images]
        return Choices(np.stack(looks), np.stack(lost), np.stack(costs), noise), 0

    def costs(self, height: int, width: int) -> np.ndarray:
        """Multiply-adds at each scale of a photograph of that size, as shares of those at a scale of 1, (k,)."""
        multiple = self.student.multiple

        def at(scale: float) -> int:
            rows, columns = (-(-max(1, round(side * scale)) // multiple) * multiple for side in (height, width))
            return self.student.cost(rows, columns)

        return np.float32([at(scale) / at(1.0) for scale in self.model.spec.scales])

    def stand_in(self, batch: PhotoBatch) -> Choices:
        """An empty photograph."""
        look = rescale(np.zeros(batch.images.shape[1:], np.float32), self.model.spec.look)
        nothing = np.zeros((1, len(self.model.spec.scales)), np.float32)
        return Choices(look[None], nothing, nothing, nothing)

    def losses(self, inputs: Choices) -> dict[str, Any]:
        """`lost` and `cost` of what is chosen, means over photographs."""
        chosen = hard_gumbel(self.model(ops.array(inputs.images)), inputs.noise, self.temperature)
        pairs = {"lost": inputs.lost, "cost": inputs.costs}
        return {name: (chosen * ops.array(values)).sum() / len(inputs) for name, values in pairs.items()}

    def evaluate(self, loader: Loader) -> tuple[dict[str, float], list]:
        """Of the scales chosen without noise: `lost`; `cost` in percent of full size; `worth`, 100 · exp(-loss);
        `scale_…`, how many percent of the photographs are looked at so. And the dearest of them.

        What a photograph loses does not change while a selector learns: it is judged at the first validation only.
        """
        lost, costs, counts, examples = [], [], np.zeros(len(self.model.spec.scales)), []
        most = len(counts) - 1
        for batch in loader.batches():
            for key, picture, regions in zip(batch.keys, _own_pixels(batch), batch.regions):
                number = int(self.model.choose(rescale(picture, self.model.spec.look)[None])[0])
                lost.append(float(self._judge_once(key, picture, regions)[number]))
                costs.append(float(self.costs(*picture.shape[1:])[number]))
                counts[number] += 1
                examples += [f"{key}: looked at in full"] if number == most else []
        n, loss = len(lost), float(np.mean(lost or [0])) + self.gamma * float(np.mean(costs or [0]))
        shares = {f"scale_{scale:g}": 100 * count / max(1, n) for scale, count in zip(self.model.spec.scales, counts)}
        scores = {"lost": float(np.mean(lost or [0])), "cost": 100 * float(np.mean(costs or [0]))}
        return {"n": n, **scores, "worth": 100 * float(np.exp(-loss)), **shares}, examples

    def _judge_once(self, key: str, picture: np.ndarray, regions: Sequence[Region]) -> np.ndarray:
        """What a photograph loses at each scale, (k,), kept by its key and pixels."""
        known = key, zlib.crc32(np.ascontiguousarray(picture))
        if known not in self._judged:
            self._judged[known] = self.judge(picture, regions, self.model.spec.scales)
        return self._judged[known]


def _own_pixels(batch: PhotoBatch) -> list[np.ndarray]:
    """Each photograph (C, H, W) without what was padded."""
    return [image[:, :height, :width] for image, (height, width) in zip(batch.images, batch.sizes)]
