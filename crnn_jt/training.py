"""Training as a library: a configuration and a few options in, a trainer out. The command lines are thin on top of it.

config = configure("crnn-light", {"train": {"steps": 1000}})
train_to_end(assemble(config, TrainOptions("runs/first")))
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields, replace
from datetime import date
from math import prod
from pathlib import Path
from typing import Any

from crnn_jt.sources import SOURCES, render
from crnn_jt.spec import Config, DataSpec, StageSpec, TrainSpec, load_config, read_values, to_config
from crnn_jt.survey import left_out, look_at_data
from data_tools.checks import check_range
from data_tools.errors import UserError
from data_tools.loader import Loader
from data_tools.sample import Reader

logger = logging.getLogger(__name__)
VALIDATION_SEED = 1_000_003
"""Added to a run's seed for what it validates on."""
UNLIMITED = 10**9
"""Steps of a run that its minutes end."""
FREE = {"train": ("steps", "workers"), "data": ("val", "val_split", "val_camera")}
"""What may be said anew when a run is resumed; whatever else differs would make it another run."""


@dataclass(frozen=True)
class TrainOptions:
    """What a training is told beside its configuration: the run folder `out`; `resume` its checkpoint, or start from
    the weights `init`; stop after `minutes` (0: never); `device` cpu or cuda; a folder `cache` that keeps what is
    rendered; `tensorboard` logs; the share `max_corrupt` of samples that may be corrupt. Raises UserError for what no
    training could begin with.
    """

    out: str | Path
    resume: bool = False
    init: str = ""
    minutes: float = 0.0
    device: str = "cpu"
    cache: str = ""
    tensorboard: bool = False
    max_corrupt: float = 0.1

    def __post_init__(self):
        check_range("--max-corrupt", self.max_corrupt, 0, 1)
        if self.device not in ("cpu", "cuda"):
            raise UserError(f"--device {self.device}: it takes cpu or cuda")
        if self.minutes < 0:
            raise UserError(f"--minutes {self.minutes}: it takes 0 (no limit) or more")


def configure(name: str | Path, changes: dict[str, dict[str, Any]]) -> Config:
    """The configuration of that name or file with `changes` by section ("train", "data") and field; a change of
    `data.recipe` is merged into the recipe; those of "lesson" are options of the task that learns from a teacher.
    Raises UserError.
    """
    return _change(load_config(name), changes)


def configure_resumed(out: str | Path, name: str, changes: dict[str, dict[str, Any]]) -> Config:
    """The configuration that the run in `out` was begun with, and of `changes` those that may be said anew.

    Raises UserError naming what differs and may not, or where `name`, if it is given, is of another model.
    """
    path = Path(out) / "spec.yaml"
    if not path.is_file():
        raise UserError(f"--resume: no {path}; start the run without --resume")
    values = read_values(path)
    config = to_config(values, path)
    if name:
        _compare(config, load_config(name), out, name)
    changed = _change(config, changes)
    said_its_data = "data" in values  # since 2026-11-26
    for section, free in FREE.items():
        free = free if section != "data" or said_its_data else [f.name for f in fields(DataSpec) if f.name != "recipe"]
        before, now = getattr(config, section), getattr(changed, section)
        for field in fields(before):
            was, given = getattr(before, field.name), getattr(now, field.name)
            if was != given and field.name not in free:
                raise UserError(
                    f"--resume: {out} was begun with {section}.{field.name} {was!r}, not {given!r}; leave the option "
                    "out, or start another run"
                )
    if changed.task != config.task:
        raise UserError(f"--resume: {out} was begun with another teacher; leave --teacher out, or start another run")
    return changed


def _compare(config: Config, named: Config, out: str | Path, name: str) -> None:
    """Refuses the configuration `name` where it is of another model than the run's; says what else is not taken."""
    if named.model != config.model:
        raise UserError(f"--resume: {out} was written with another model or optimiser than --config names")
    others = [
        f"{section}.{field.name}"
        for section in FREE
        for field in fields(getattr(config, section))
        if getattr(getattr(config, section), field.name) != getattr(getattr(named, section), field.name)
    ]
    if others:
        logger.info(
            "%s", f"--resume: {out} goes on as it was begun, not as --config {name} has it: {', '.join(others)}"
        )


def _change(config: Config, changes: dict[str, dict[str, Any]]) -> Config:
    data = dict(changes.get("data", {}))
    data["recipe"] = config.data.recipe | data.get("recipe", {})
    train = replace(config.train, **changes.get("train", {}))
    changed = replace(config, train=train, data=replace(config.data, **data))
    return _teach(changed, changes["lesson"]) if changes.get("lesson") else changed


def _teach(config: Config, lesson: dict[str, Any]) -> Config:
    """The configuration with these options of the task by which its model learns from a teacher. Raises UserError."""
    from crnn_jt.models import MODELS
    from crnn_jt.tasks import TASKS

    own = config.task or StageSpec(MODELS.get(config.model.kind).task)
    name = vars(TASKS.get(own.name)).get("taught")  # a task that derives from another has no teacher by that
    if not name:
        raise UserError(f"--teacher: what is learnt by the task {own.name} has no teacher")
    if "teacher" not in {**own.options, **lesson}:
        raise UserError("--student-scale: name the weights that teach with --teacher")
    return replace(config, task=StageSpec(name, {**own.options, **lesson}))


def endless(train: TrainSpec) -> int:
    """A number of samples that no run exhausts."""
    return max(min(train.steps, 10**7), train.window) * train.batch_size


def open_training(config: Config) -> Reader:
    """What the configuration's model learns from: its data sets, or else what is rendered."""
    from data_tools.readers.mixed import open_shares

    if config.data.train:
        return open_shares(config.data.train, config.train.seed, endless(config.train))
    return render(config.data, config.model, config.train.seed, endless(config.train), training=True)


def open_validation(config: Config) -> Reader:
    """What it is validated on."""
    from data_tools.readers import open_readers

    if config.data.val:
        return open_readers(list(config.data.val))
    size = SOURCES[config.data.kind].validation
    return render(config.data, config.model, config.train.seed + VALIDATION_SEED, size)


def describe(data: DataSpec, seed: int) -> str:
    """A line that says what is learnt from."""
    return ", ".join(data.train) or f"rendered: {data.recipe}, seed {seed}"


def assemble(config: Config, options: TrainOptions, train: Reader | None = None, val: Reader | None = None):
    """A `Trainer` with fresh, given or resumed state; `train` and `val` are opened as the configuration says unless
    they are given. Raises UserError.
    """
    if options.cache and config.data.train:
        raise UserError(
            "--cache keeps what is rendered; with --train there is nothing to render, leave one of them out"
        )
    from crnn_jt.backend import ranks, to_device
    from crnn_jt.checkpoint import RunFolder
    from crnn_jt.models import build
    from crnn_jt.tasks import task_of
    from crnn_jt.trainer import Trainer

    folder, spec = RunFolder(Path(options.out), config), config.train
    train = open_training(config) if train is None else train
    val = open_validation(config) if val is None else val
    model = build(config.model, spec.seed)
    if options.init and options.resume:
        logger.info("%s", f"--init {options.init}: is not taken again; the run goes on from its checkpoint")
    elif options.init:
        start_from(model, options.init)
    to_device(model, options.device)
    task = task_of(model, config)
    for other in task.others:
        to_device(other, options.device)
    folder.progress.data = describe(config.data, spec.seed)
    survey = look_at_data(task, config, train, val, options.max_corrupt)
    loaders = _make_loaders(task, config, options, train, val)
    trainer = Trainer(folder, task, *loaders, options.minutes, _describe_run(config, options))
    logger.info("%s", f"{config.model.name}: {_count(model):,} parameters, training on {folder.progress.data}")
    if survey and ranks.rank == 0:
        logger.info("%s", survey)
    if options.resume:
        trainer.resume()
    elif ranks.rank == 0:
        folder.create()
    if options.tensorboard and ranks.rank == 0:
        folder.open_tensorboard()
    return trainer


def train_to_end(trainer) -> dict[str, float]:
    """Trains to the end, and says however it ends what could not be learnt from; returns the last validation."""
    try:
        return trainer.run()
    finally:
        if missed := left_out(trainer):
            logger.warning("%s", missed)


def _describe_run(config: Config, options: TrainOptions) -> dict[str, Any]:
    """Facts about a training that its weights files keep."""
    from crnn_jt.backend import NAME

    spec = config.train
    info = {"data": describe(config.data, spec.seed), "seed": spec.seed, "backend": NAME}
    info |= {"date": date.today().isoformat(), "precision": spec.precision, "batch_size": spec.batch_size}
    return info | {"echo": spec.echo, "init": options.init}


def _make_loaders(task, config: Config, options: TrainOptions, train: Reader, val: Reader) -> tuple[Loader, Loader]:
    """This rank's share of each batch to learn from, shuffled where samples come from a data set that has no order of
    its own; and all to validate on.
    """
    from crnn_jt.backend import ranks

    spec = config.train
    shared = {"accept": task.accept, "workers": spec.workers, "max_corrupt": options.max_corrupt}
    training = Loader(
        train,
        task.collate(True),
        spec.batch_size,
        seed=spec.seed,
        shuffle=bool(config.data.train) and not getattr(train, "ordered", False),
        rank=ranks.rank,
        ranks=ranks.count,
        drop_last=True,
        window=spec.window if task.bucketed or spec.echo > 1 else 1,
        echo=spec.echo,
        cache=options.cache or None,
        **shared,
    )
    return training, Loader(val, task.collate(False), spec.batch_size, **shared)


def _count(model) -> int:
    from crnn_jt.backend import parameters

    return sum(prod(value.shape) for value in parameters(model).values())


def start_from(model, name: str) -> None:
    """Sets what fits of a weights file and says what stays fresh. Raises UserError where nothing fits."""
    from crnn_jt.backend import load_state, state
    from crnn_jt.weights import load_weights, transfer

    fitting, fresh = transfer(load_weights(name), state(model), model.spec, model.symbol_rows)
    if not fitting:
        raise UserError(f"--init {name}: not one of its weights fits this model")
    load_state(model, fitting)
    logger.info("%s", f"--init {name}: {len(fitting)} arrays taken; fresh: {', '.join(fresh) or 'none'}")
