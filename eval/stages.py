"""Stage combinations trained alike: Table 2 of the Jittor report, at whatever budget there is."""

from __future__ import annotations

import logging
import math
from argparse import Namespace
from dataclasses import dataclass, replace
from pathlib import Path

from crnn_jt.commands import train as training
from crnn_jt.spec import Config, StageSpec
from data_tools.errors import UserError

logger = logging.getLogger(__name__)

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


def combined(config: Config, combination: str, width: float) -> Config:
    """`config` with `extractor+generator`, or `extractor+refiner+generator`, in place of its stages.

    A stage that stays the same keeps its options. `width` scales the extractor's channels. Raises UserError.
    """
    names = combination.split("+")
    if len(names) not in (2, 3) or not all(names):
        raise UserError(f"--combinations {combination}: it takes extractor+generator or extractor+refiner+generator")
    model = config.model
    extractor = _stage(model.extractor, names[0])
    if width != 1.0:
        extractor = replace(extractor, options={**extractor.options, "width": width})
    refiner = _stage(model.refiner, names[1]) if len(names) == 3 else model.refiner
    generator = _stage(model.generator, names[-1])
    return replace(
        config, model=replace(model, name=combination, extractor=extractor, refiner=refiner, generator=generator)
    )


def _stage(stage: StageSpec, name: str) -> StageSpec:
    return stage if stage.name == name else StageSpec(name)


def train(config: Config, args: Namespace, folder: Path) -> Outcome:
    """Trains one combination into `folder` and reads its run folder. Raises UserError."""
    from crnn_jt.backend import parameters
    from crnn_jt.checkpoint import Run

    run = Run(folder, config)
    trainer = training.assemble(args, run, *training.data(args, config))
    scores = trainer.run()
    losses = [line["loss"] for line in run.history() if "loss" in line]
    return Outcome(
        combination=config.model.name,
        parameters=sum(math.prod(value.shape) for value in parameters(trainer.recognizer).values()),
        loss=losses[-1] if losses else math.nan,
        accuracy=scores.get("accuracy", 0.0),
        ned=scores.get("ned", 0.0),
        images=run.progress.seen,
        images_per_s=run.progress.seen / max(run.progress.seconds, 1e-9),
    )
