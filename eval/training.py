"""Trainings that a bench runs one after another: their options, and how they go on after an interruption."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from crnn_jt import training
from crnn_jt.options import read_changes
from crnn_jt.spec import Config, to_dict
from crnn_jt.training import TrainOptions
from data_tools.errors import UserError
from data_tools.files import write_text

SETTINGS = "settings.json"
Outcome = TypeVar("Outcome")


def add_arguments(parser) -> None:
    """Adds to a jsonargparse parser what every training of a bench takes, with its budget in steps or minutes."""
    parser.add_argument("--steps", type=int, default=None, help="optimiser steps of each training")
    parser.add_argument("--minutes", type=float, default=0.0, help="or minutes of each")
    add_shared_arguments(parser)


def add_shared_arguments(parser) -> None:
    """What every training of a bench takes but its budget."""
    parser.add_argument("--out", type=str, default=None, help="folder for the run folders; an interrupted one goes on")
    parser.add_argument("--batch-size", type=int, default=None, help="images a step instead of the configuration's")
    parser.add_argument("--fonts", type=str, default=None, help="a folder of fonts for rendered words")
    parser.add_argument("--words", type=str, default=None, help="a word list for rendered words")
    parser.add_argument("--backgrounds", type=str, default=None, help="a folder of pictures for rendered words")
    parser.add_argument("--device", type=str, default="cpu", help="cpu or cuda")
    parser.add_argument("--precision", type=str, default=None, help="float32, or bfloat16 with CRNN_BACKEND=torch")
    parser.add_argument("--workers", type=int, default=None, help="loader processes")
    parser.add_argument("--seed", type=int, default=0, help="of weights, order and rendering")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def configure(args) -> tuple[TrainOptions, Config]:
    """What all trainings of a bench share, and the configuration that the options make.

    Raises UserError for what no training could begin with.
    """
    if not args.out:
        raise UserError("--out: name a folder for the run folders")
    if args.steps is None and not args.minutes:
        raise UserError("--steps or --minutes: name the budget of each training")
    options = TrainOptions(args.out, init=getattr(args, "init", None) or "", minutes=args.minutes, device=args.device)
    return options, training.configure(args.config, read_changes(args))


def record_settings(out: Path, options: TrainOptions, config: Config) -> None:
    """Writes down what all trainings in `out` share. Raises UserError where it holds trainings of other settings: they
    could not be compared.
    """
    shared = {"init": options.init, "minutes": options.minutes}
    for section, values in to_dict(config).items():
        shared |= {f"{section}.{name}": value for name, value in values.items() if name != "workers"}
    path = out / SETTINGS
    if not path.is_file():
        if any(out.glob("*/metrics.jsonl")):
            raise UserError(f"--out {out}: holds runs of something else; name another folder")
        write_text(path, json.dumps(shared, indent=1, ensure_ascii=False) + "\n")
        return
    try:
        before = dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{path}: cannot be read; name another folder as --out") from error
    now = json.loads(json.dumps(shared))
    for name in {**now, **before}:
        if now.get(name) != before.get(name):
            was = f"{name} was {before.get(name)!r}, is {now.get(name)!r}"
            raise UserError(f"--out {out}: was begun with other settings ({was}); name another folder")


def train(config: Config, options: TrainOptions, folder: Path) -> tuple:
    """Trains into `folder`, from its checkpoint where an interrupted run left one (a finished one is not trained any
    more): trainer, its last validation. Raises UserError.
    """
    from crnn_jt.checkpoint import RunFolder

    run = RunFolder(folder, config)
    resume = run.checkpoint.is_file()
    if not resume:
        run.metrics.unlink(missing_ok=True)  # of a run that was killed before its first checkpoint
    trainer = training.assemble(config, replace(options, out=folder, resume=resume))
    return trainer, trainer.run()


def train_each(
    names: Iterable[str], train_one: Callable[[str], Outcome], report: Callable[[list[Outcome], list[str]], None]
) -> tuple[list[Outcome], list[str]]:
    """What `train_one` makes of each name, and a line for each that it refuses; reported anew after each.

    Raises UserError where all are refused.
    """
    outcomes, problems = [], {}
    for name in _announce(list(names)):
        try:
            outcomes.append(train_one(name))
        except UserError as error:
            problems[name] = str(error)
        report(outcomes, [f"{name}: {why}" for name, why in problems.items()])
    if not outcomes:
        raise UserError("; ".join(dict.fromkeys(problems.values())))
    return outcomes, [f"{name}: {why}" for name, why in problems.items()]


def _announce(names: list[str]) -> Iterator[str]:
    for number, name in enumerate(names, 1):
        print(f"{name}, {number} of {len(names)}", file=sys.stderr, flush=True)
        yield name
