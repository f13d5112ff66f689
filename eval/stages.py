"""Stage combinations trained alike: Table 2 of the Jittor report, at whatever budget there is; and whether each of
them learns at all.
"""

from __future__ import annotations

import json
import math
import os
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from crnn_jt.spec import Config, ModelSpec, StageSpec
from data_tools.errors import UserError
from data_tools.files import write_text
from eval import overfit, training

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

    A stage that stays the same keeps its options. `width` scales the extractor's channels. All read pictures of one
    width, as some extractors need and the report has them. Raises UserError.
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
    stages = {"extractor": extractor, "refiner": refiner, "generator": generator}
    return replace(config, model=replace(model, name=combination, image=replace(model.image, resize="fixed"), **stages))


def _stage(stage: StageSpec, name: str) -> StageSpec:
    return stage if stage.name == name else StageSpec(name)


def train(config: Config, args: Namespace, folder: Path) -> Outcome:
    """Trains one combination into `folder` and reads its run folder. Raises UserError."""
    from crnn_jt.backend import parameters

    trainer, scores = training.train(config, args, folder)
    progress = trainer.progress
    losses = [line["loss"] for line in trainer.run_folder.history() if "loss" in line]
    return Outcome(
        combination=config.model.name,
        parameters=sum(math.prod(value.shape) for value in parameters(trainer.recognizer).values()),
        loss=losses[-1] if losses else math.nan,
        accuracy=scores.get("accuracy", 0.0),
        ned=scores.get("ned", 0.0),
        images=progress.seen,
        images_per_s=progress.seen / max(progress.seconds, 1e-9),
    )


def columns(outcomes: list[Outcome]) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of the table, the published accuracy beside each."""
    rows = []
    for one in outcomes:
        published = PUBLISHED.get(one.combination)
        cells = (f"{one.accuracy:.2f}", f"{published:.2f}" if published else "-", f"{one.ned:.1f}", f"{one.loss:.3f}")
        rows.append([one.combination, *cells, f"{one.parameters:,}", f"{one.images_per_s:.1f}"])
    return ["combination", "accuracy", "published", "1-NED", "loss", "parameters", "images/s"], rows


BUDGET = {"ctc": 1000, "encoder_decoder": 1500, "attention": 1500}
"""Steps of the smoke test at most, by generator; without a refiner twice as many."""
SUITS_BADLY = {
    "vgg_global": "its steps are channels that each see the whole image, in no order of reading, which suits CTC badly"
}
"""Why an extractor may fail with CTC."""


@dataclass(frozen=True)
class Smoke:
    """What the smoke test found of one combination: words right of `words`, or the reason why not all of them."""

    combination: str
    right: int
    words: int
    steps: int
    loss: float
    budget: int
    cpu_s: float
    reason: str = ""


def budget(model: ModelSpec) -> int:
    """Steps that the smoke test gives a combination at most."""
    return BUDGET[model.generator.name] * (1 if model.refiner.name == "bilstm" else 2)


def smoke(model: ModelSpec, steps: int, seed: int) -> Smoke:
    """Over-fits one combination."""
    begin = sum(os.times()[:4])
    try:
        found = overfit.overfit(model, steps, seed)
    except UserError as error:  # stages that do not fit together say so
        return Smoke(model.name, 0, overfit.WORDS, 0, math.nan, steps, 0.0, str(error))
    seconds = round(sum(os.times()[:4]) - begin, 1)  # compilers that Jittor started included
    reason = "" if found.right == overfit.WORDS else _reason(model, found)
    return Smoke(model.name, found.right, overfit.WORDS, found.steps, found.loss, steps, seconds, reason)


def _reason(model: ModelSpec, found: overfit.Overfit) -> str:
    if not math.isfinite(found.loss):
        return f"the loss is {found.loss}"
    known = SUITS_BADLY.get(model.extractor.name) if model.generator.name == "ctc" else None
    return known or f"still learning after {found.steps} steps (loss {found.loss:.3f}); give it more --steps"


def smoke_all(
    models: list[ModelSpec], steps: int | None, seed: int, out: Path | None, report: Callable[[Smoke], None]
) -> list[Smoke]:
    """Over-fits all, each reported as it is done. `out` (a JSON file) keeps what is done, with which an interrupted
    test goes on; what was found with another budget or seed is done again.
    """
    kept = _kept(out, seed) if out else {}
    found = []
    for model in models:
        key = model.name, steps or budget(model)
        if key not in kept:
            kept[key] = smoke(model, key[1], seed)
            if out:
                write_text(out, json.dumps(smoke_document(list(kept.values()), seed), indent=1) + "\n")
        found.append(kept[key])
        report(kept[key])
    return found


def smoke_document(found: list[Smoke], seed: int) -> dict:
    """The smoke test as JSON: loss null where it was no number."""
    lines = [{**asdict(one), "loss": one.loss if math.isfinite(one.loss) else None} for one in found]
    return {"seed": seed, "combinations": lines}


def _kept(out: Path, seed: int) -> dict[tuple[str, int], Smoke]:
    """What an earlier test with the same seed found, by combination and budget."""
    if not out.exists():
        return {}
    try:
        document = json.loads(out.read_text(encoding="utf-8"))
        lines = document["combinations"] if document["seed"] == seed else []
        kept = [Smoke(**{**line, "loss": math.nan if line["loss"] is None else line["loss"]}) for line in lines]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{out}: holds no smoke test; name another folder as --out") from error
    return {(one.combination, one.budget): one for one in kept}
