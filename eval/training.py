"""Trainings that a bench runs one after another: the options that are `crnn_jt train`'s, and how they go on after an
interruption."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from crnn_jt.spec import Config, to_dict
from data_tools.errors import UserError
from data_tools.files import write_text

SETTINGS = "settings.json"
Outcome = TypeVar("Outcome")


def add_arguments(parser) -> None:
    """Adds to a jsonargparse parser what every training of a bench takes."""
    parser.add_argument("--out", type=str, default=None, help="folder for the run folders; an interrupted one goes on")
    parser.add_argument("--steps", type=int, default=None, help="optimiser steps of each training")
    parser.add_argument("--minutes", type=float, default=0.0, help="or minutes of each")
    parser.add_argument("--batch-size", type=int, default=None, help="images a step instead of the configuration's")
    parser.add_argument("--fonts", type=str, default=None, help="a folder of fonts for rendered words")
    parser.add_argument("--words", type=str, default=None, help="a word list for rendered words")
    parser.add_argument("--backgrounds", type=str, default=None, help="a folder of pictures for rendered words")
    parser.add_argument("--device", type=str, default="cpu", help="cpu or cuda")
    parser.add_argument("--precision", type=str, default=None, help="float32, or bfloat16 with CRNN_BACKEND=torch")
    parser.add_argument("--workers", type=int, default=None, help="loader processes")
    parser.add_argument("--seed", type=int, default=0, help="of weights, order and rendering")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def configured(args) -> tuple[Namespace, Config]:
    """`crnn_jt train`'s options, as given here or else as they are there, and the configuration that they make.

    Raises UserError for what no training could begin with.
    """
    from jsonargparse import ArgumentParser

    from crnn_jt.commands import train

    if not args.out:
        raise UserError("--out: name a folder for the run folders")
    if args.steps is None and not args.minutes:
        raise UserError("--steps or --minutes: name the budget of each training")
    if args.device not in ("cpu", "cuda"):
        raise UserError(f"--device {args.device}: it takes cpu or cuda")
    parser = ArgumentParser()
    train.add_arguments(parser)
    given = Namespace(**{**vars(parser.get_defaults()), **vars(args)})
    return given, train.configure(given)


def settle(out: Path, args: Namespace, config: Config) -> None:
    """Writes down what all trainings in `out` share. Raises UserError where it holds trainings of other settings: they
    could not be compared.
    """
    shared = {"init": args.init, "minutes": args.minutes, "train": args.train, "val": args.val}
    shared |= {f"train.{name}": value for name, value in to_dict(config.train).items() if name != "workers"}
    shared |= {f"model.{name}": value for name, value in to_dict(config.model).items()}
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


def train(config: Config, args: Namespace, folder: Path) -> tuple:
    """Trains into `folder`, from its checkpoint where an interrupted run left one (a finished one is not trained any
    more): trainer, its last validation. Raises UserError.
    """
    from crnn_jt.checkpoint import Run
    from crnn_jt.commands import train as training

    run = Run(folder, config)
    resume = run.checkpoint.is_file()
    if not resume:
        run.metrics.unlink(missing_ok=True)  # of a run that was killed before its first checkpoint
    given = Namespace(**{**vars(args), "resume": resume})
    trainer = training.assemble(given, run, *training.data(given, config))
    return trainer, trainer.run()


def one_by_one(
    names: Iterable[str], train_one: Callable[[str], Outcome], report: Callable[[list[Outcome], list[str]], None]
) -> tuple[list[Outcome], list[str]]:
    """What `train_one` makes of each name, and a line for each that it refuses; reported anew after each.

    Raises UserError where all are refused.
    """
    outcomes, problems = [], {}
    for name in _announced(list(names)):
        try:
            outcomes.append(train_one(name))
        except UserError as error:
            problems[name] = str(error)
        report(outcomes, [f"{name}: {why}" for name, why in problems.items()])
    if not outcomes:
        raise UserError("; ".join(dict.fromkeys(problems.values())))
    return outcomes, [f"{name}: {why}" for name, why in problems.items()]


def _announced(names: list[str]) -> Iterator[str]:
    for number, name in enumerate(names, 1):
        print(f"{name}, {number} of {len(names)}", file=sys.stderr, flush=True)
        yield name


def markdown(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table for the documents: the first column to the left, the others to the right."""
    header = list(header)
    ruler = ["---", *["---:"] * (len(header) - 1)]
    return "".join("| " + " | ".join(map(str, row)) + " |\n" for row in (header, ruler, *rows))
