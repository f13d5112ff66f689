"""Compressions as run folders: what a model is turned into first, and the training that goes on from there.

`start.safetensors` is where the training begins; what came of it is `int8.safetensors` (PACT; `calibrated.safetensors`
is the same without training) or `best.safetensors` (pruned). Everything else is as in any run folder.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from crnn_jt import backend
from crnn_jt.compression import sensitivity
from crnn_jt.compression.channels import cost_of
from crnn_jt.compression.eight_bits import PICTURES, calibrate, open_to_rounding, store
from crnn_jt.compression.filters import choose_shares, cost_at, cut, flow_of, kept_of, name_set
from crnn_jt.models import restore
from crnn_jt.sources import SOURCES, render
from crnn_jt.spec import Config, GroupSpec, config_names, load_config
from crnn_jt.tasks import Task, task_of
from crnn_jt.training import TrainOptions, assemble, configure, describe, open_training, open_validation, train_to_end
from crnn_jt.weights import Weights, load_weights, save_weights
from data_tools.errors import UserError
from data_tools.loader import Loader

logger = logging.getLogger(__name__)
START, CALIBRATED, INT8 = "start.safetensors", "calibrated.safetensors", "int8.safetensors"
FINE = 0.1
"""Of a configuration's learning rate, steps and warm-up, for a model that has learnt already."""
CLIP_RATE = 100.0
"""How many times as fast as the weights the bounds learn: they start at 20 and have to come down to a few units."""
CLIP_DECAY = 1e-3
"""Their L2 regularisation (Du et al., "PP-OCR", 2020, section 2.3)."""


def fine_tuning(name: str, weights: Weights, changes: dict[str, dict[str, Any]]) -> Config:
    """The configuration `name`, or the one named as the model, for training that goes on: shorter, at a lower rate and
    without what makes its beginning easier, unless `changes` say otherwise. Raises UserError.
    """
    name = name or first_name(weights)
    if name not in config_names() and not Path(name).is_file():
        raise UserError(f"--config: name the configuration that {name} was trained with; there is none of its name")
    train = load_config(name).train
    shorter = {field: max(1, round(getattr(train, field) * FINE)) for field in ("steps", "warmup", "validate_every")}
    fine = shorter | {"learning_rate": train.learning_rate * FINE}
    config = configure(name, changes | {"train": fine | changes.get("train", {})})
    easier = SOURCES[config.data.kind].training_only
    recipe = {key: value for key, value in config.data.recipe.items() if key not in easier}
    return replace(config, data=replace(config.data, recipe=recipe))


def first_name(weights: Weights) -> str:
    """The name of the model that a smaller one came from in the end, its own where it came from none."""
    name, info = weights.spec.name, weights.info
    while isinstance(info, dict) and isinstance(info.get("made_from"), dict):
        info = info["made_from"]
        name = info.get("name", name)
    return name


def made_from(weights: Weights, name: str, method: str) -> dict[str, Any]:
    """What a smaller model says in its info of the one it came from, and that one of its own."""
    before = {key: weights.info[key] for key in ("made_from",) if key in weights.info}
    return {"made_from": {"method": method, "weights": Path(name).name, "name": weights.spec.name, **before}}


def _say_data(config: Config) -> str:
    """What is learnt from, without the folders in which it lay: a file is read elsewhere."""
    data, recipe = config.data, dict(config.data.recipe)
    recipe |= {key: [Path(path).name for path in recipe[key]] for key in ("fonts",) if recipe.get(key)}
    recipe |= {key: Path(recipe[key]).name for key in ("words", "backgrounds") if recipe.get(key)}
    train = tuple(Path(path).name for path in data.train)
    return describe(replace(data, recipe=recipe, train=train), config.train.seed)


def begin_eight_bits(name: str, config: Config, out: Path, recurrent: bool = False) -> Config:
    """Opens the weights `name` to 8 bits, takes the ranges from what `config` learns from, and writes where the
    training starts and the same without training. Returns the configuration of the training. Raises UserError.
    """
    weights = load_weights(name)
    opened = open_to_rounding(weights, recurrent)
    opened = replace(opened, spec=replace(opened.spec, name=f"{weights.spec.name}-int8"))
    bounds = GroupSpec("adam", config.train.learning_rate * CLIP_RATE, weight_decay=CLIP_DECAY)
    train = replace(config.train, groups=config.train.groups | {"clips": bounds})
    config = replace(config, model=opened.spec, train=train)
    task = task_of(restore(opened, name), config)
    with Drawn(task, config) as drawn:
        seen = calibrate(task, drawn)
    logger.info("%s", f"{name}: ranges taken from {seen} pictures")
    start = Weights(backend.state(task.model), opened.spec, made_from(weights, name, "PACT"))
    save_weights(out / START, start)
    drawn_from = {"pictures": seen, "data": _say_data(config)}
    plain = replace(start, info=made_from(weights, name, "post-training quantisation") | drawn_from)
    save_weights(out / CALIBRATED, store(plain), half=True)
    return config


def begin_pruned(
    name: str, config: Config, out: Path, keep: float, shares: Sequence[float], pictures: int
) -> tuple[Config, list[list[str]]]:
    """Measures how much the weights `name` mind losing filters, prunes them to the share `keep` of their multiply-adds
    and writes where the training starts. Returns the training's configuration and the table. Raises UserError.
    """
    weights = load_weights(name)
    if weights.rounded:
        raise UserError(f"{name}: its weights are in 8 bits; prune the float model first, then compress pact")
    config = replace(config, model=weights.spec)
    model = restore(weights, name)
    task, flow = task_of(model, config), flow_of(model)
    about = {"weights": Path(name).name, "parameters": sum(value.size for value in weights.arrays.values())}
    about |= {"pictures": pictures, "data": list(config.data.val)}
    with sensitivity.judge(task, open_validation(config), pictures, config.train.batch_size) as score:
        found = sensitivity.measure(task, flow, weights, shares, score, out, about)
    losses = sensitivity.losses_of(found, shares)
    curves = {root: losses[name_set(flow, root)] for root in flow.open_sets()}
    goal = round(keep * cost_of(flow, weights.arrays, {}))
    chosen = choose_shares(curves, partial(cost_at, flow, weights.arrays), goal)
    kept = kept_of(flow, weights.arrays, chosen)
    small = cut(model, weights, kept)
    spec = replace(small.spec, name=f"{weights.spec.name}-pruned")
    info = made_from(weights, name, "FPGM") | {"left": round(cost_of(flow, weights.arrays, kept) / (goal / keep), 4)}
    restore(replace(small, spec=spec), f"{name}, pruned")
    save_weights(out / START, Weights(small.arrays, spec, info))
    sensitivity.plot(found, out / sensitivity.PLOT)
    left = {name_set(flow, root): len(own) for root, own in kept.items()}
    return replace(config, model=spec), sensitivity.rows_of(found, left)


class Drawn:
    """Batches that a task learns from, as at the beginning of its training but never changed at random; for `with`."""

    def __init__(self, task: Task, config: Config):
        spec, data = config.train, config.data
        reader = open_training(config) if data.train else render(data, config.model, spec.seed, 2 * PICTURES)
        options = {"accept": task.accept, "seed": spec.seed, "shuffle": bool(data.train)}
        still = replace(config, train=replace(spec, augment=False))
        self.loader = Loader(reader, task_of(task.model, still).collate(True), spec.batch_size, **options)

    def __enter__(self) -> Iterator:
        return self.loader.batches()

    def __exit__(self, *failure) -> None:
        self.loader.close()


def train_on(config: Config, options: TrainOptions) -> dict[str, float]:
    """Trains from the folder's start, or on from its checkpoint; returns the last validation. Raises UserError."""
    start = Path(options.out) / START
    if not start.is_file():
        raise UserError(f"--resume: no {start}; start the compression without --resume")
    trainer = assemble(config, options if options.resume else replace(options, init=str(start)))
    trainer.info |= load_weights(start).info | {"init": START, "data": _say_data(config)}
    return train_to_end(trainer)


def write_eight_bits(out: Path) -> Path:
    """Writes the best weights of a PACT training as a file of integers; returns it."""
    save_weights(out / INT8, store(load_weights(out / "best.safetensors")), half=True)
    return out / INT8


def refuse_a_run(out: Path) -> None:
    """Raises UserError where a folder holds a training already; one that was cut before its first checkpoint is begun
    anew.
    """
    if any((out / f"{name}.safetensors").exists() for name in ("checkpoint", "best", "last")):
        raise UserError(f"--out {out}: holds a run already; add --resume, or name another folder")
