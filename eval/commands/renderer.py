"""Trains one model on variants of the word renderer for the same budget and reads real words with each.

What an effect is worth shows in real pictures only, so --root holds labelled ones (as for `eval words`); they are read,
never trained on. All variants start from the same weights and seed. Each leaves its run folder in --out.

  python -m eval renderer --root data/dev --out runs/renderer --steps 3000 --fonts fonts
  python -m eval renderer --root data/dev --out runs/faces --minutes 20 --variants default,no-faces,stronger
  python -m eval renderer --list

Differences of a point are noise: a set of 1,000 words has an interval of about two points, and another --seed moves a
short training by as much. The figures choose defaults of the recipe; say so where they are reported.
"""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import asdict, replace
from pathlib import Path

from data_tools.errors import UserError
from eval.renderer import VARIANTS, chosen, table, train


def add_arguments(parser) -> None:
    """Adds the command's arguments to a jsonargparse parser."""
    parser.add_argument("--root", type=str, help="folder of labelled real words to read")
    parser.add_argument("--sets", type=str, default=None, help="only these, separated by commas")
    parser.add_argument("--out", type=str, help="folder for the run folders")
    parser.add_argument("--variants", type=str, default=",".join(VARIANTS), help="which, separated by commas")
    parser.add_argument("--list", action="store_true", help="name the variants and what they change")
    parser.add_argument("--config", type=str, default="crnn-light", help="the model and its training")
    parser.add_argument("--steps", type=int, default=None, help="optimiser steps of each variant")
    parser.add_argument("--minutes", type=float, default=0.0, help="or minutes of each")
    parser.add_argument("--batch-size", type=int, default=None, help="images a step instead of the configuration's")
    parser.add_argument("--fonts", type=str, default=None, help="a folder of fonts")
    parser.add_argument("--words", type=str, default=None, help="a word list")
    parser.add_argument("--backgrounds", type=str, default=None, help="a folder of pictures")
    parser.add_argument("--init", type=str, default=None, help="weights that all variants start from")
    parser.add_argument("--device", type=str, default="cpu", help="cpu or cuda")
    parser.add_argument("--precision", type=str, default=None, help="float32, or bfloat16 with CRNN_BACKEND=torch")
    parser.add_argument("--workers", type=int, default=None, help="loader processes")
    parser.add_argument("--seed", type=int, default=0, help="of weights, order and rendering")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args) -> int:
    """Trains all variants; one that cannot be trained is named, and the exit code is then 1."""
    if args.list:
        print("\n".join(f"{name:<18}{changes or 'the recipe as it is'}" for name, changes in VARIANTS.items()))
        return 0
    for option in ("root", "out"):
        if not getattr(args, option):
            raise UserError(f"--{option}: is missing; see --help")
    if args.steps is None and not args.minutes:
        raise UserError("--steps or --minutes: name the budget of each variant")
    names = chosen(args.variants)
    outcomes, problems = _train_all(args, names)
    if not outcomes:
        raise UserError("; ".join(problems))
    if args.json:
        print(json.dumps({"variants": [asdict(one) for one in outcomes], "problems": problems}, indent=1))
    else:
        print("\n".join([*table(outcomes), *problems]))
    return int(bool(problems))


def _train_all(args, names: list[str]) -> tuple[list, list[str]]:
    from crnn_jt.commands.train import configure
    from eval.sets import find

    given = _as_for_train(args)
    sets, problems = find(args.root, args.sets.split(",") if args.sets else None)
    config = configure(given)
    config = replace(config, train=replace(config.train, validate_every=config.train.steps))
    outcomes = []
    for name in names:
        try:
            outcomes.append(train(config, name, given, Path(args.out) / name, sets))
        except UserError as error:
            problems.append(f"{name}: {error}")
    return outcomes, problems


def _as_for_train(args) -> Namespace:
    """`crnn_jt train`'s options: as given here, else as they are there."""
    from jsonargparse import ArgumentParser

    from crnn_jt.commands import train as training

    parser = ArgumentParser()
    training.add_arguments(parser)
    return Namespace(**{**vars(parser.get_defaults()), **vars(args)})
