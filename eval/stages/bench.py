"""Stage combinations trained alike: Table 2 of the Jittor report, at whatever budget there is."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

from crnn_jt.spec import Config, StageSpec
from crnn_jt.training import TrainOptions
from data_tools.errors import UserError
from eval import training

PUBLISHED = {
    "vgg+ctc": 95.52,
    "vgg+encoder_decoder": 94.77,
    "vgg+attention": 93.67,
    "resnet15+ctc": 97.40,
    "resnet23+ctc": 97.60,
}
"""Table 2: best validation accuracy on MJSynth in epochs 3 to 5, %."""


@dataclass(frozen=True)
class Outcome:
    """What one combination came to: loss of the last steps, validation in %, parameters, training images a second."""

    combination: str
    parameters: int
    loss: float
    accuracy: float
    ned: float
    images: int
    images_per_s: float


def combine_stages(config: Config, combination: str, width: float) -> Config:
    """`config` with `extractor+generator`, or `extractor+refiner+generator`, in place of its stages.

    A stage that stays the same keeps its options. `width` scales the extractor's channels. All read pictures of one
    width, as some extractors need and the report has them. Raises UserError.
    """
    names = combination.split("+")
    if len(names) not in (2, 3) or not all(names):
        raise UserError(f"--combinations {combination}: it takes extractor+generator or extractor+refiner+generator")
    model = config.model
    extractor = _replace_stage(model.extractor, names[0])
    if width != 1.0:
        extractor = replace(extractor, options={**extractor.options, "width": width})
    refiner = _replace_stage(model.refiner, names[1]) if len(names) == 3 else model.refiner
    generator = _replace_stage(model.generator, names[-1])
    stages = {"extractor": extractor, "refiner": refiner, "generator": generator}
    return replace(config, model=replace(model, name=combination, image=replace(model.image, resize="fixed"), **stages))


def _replace_stage(stage: StageSpec, name: str) -> StageSpec:
    return stage if stage.name == name else StageSpec(name)


def train(config: Config, options: TrainOptions, folder: Path) -> Outcome:
    """Trains one combination into `folder` and reads its run folder. Raises UserError."""
    from crnn_jt.backend import parameters

    trainer, scores = training.train(config, options, folder)
    progress = trainer.progress
    losses = [line["loss"] for line in trainer.folder.history() if "loss" in line]
    return Outcome(
        combination=config.model.name,
        parameters=sum(math.prod(value.shape) for value in parameters(trainer.task.model).values()),
        loss=losses[-1] if losses else math.nan,
        accuracy=scores.get("accuracy", 0.0),
        ned=scores.get("ned", 0.0),
        images=progress.seen,
        images_per_s=progress.seen / max(progress.seconds, 1e-9),
    )
