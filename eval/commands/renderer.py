"""Trains one model on variants of the word renderer for the same budget and reads real words with each.

What an effect is worth shows in real pictures only, so --root holds labelled ones (as for `eval words`); they are read,
never trained on. All variants start from the same weights (--init, or fresh ones) and seed. Each leaves its run folder
in --out, where renderer.json and renderer.md grow with them. Interrupted, the same command goes on where it stood.

  python -m eval renderer --root data/dev --out runs/renderer --steps 3000 --fonts fonts
  python -m eval renderer --root data/dev --out runs/faces --minutes 20 --variants default,no-faces,stronger
  python -m eval renderer --root data/dev --out runs/tuned --steps 500 --init crnn-light --config crnn-light
  python -m eval renderer --list

Differences of a point are noise: a set of 1,000 words has an interval of about two points, and another --seed moves a
short training by as much. The figures choose defaults of the recipe; say so where they are reported.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

from data_tools.errors import UserError
from data_tools.files import write_text
from eval import renderer, training
from eval.renderer import VARIANTS


def add_arguments(parser) -> None:
    """Adds the command's arguments to a jsonargparse parser."""
    parser.add_argument("--root", type=str, help="folder of labelled real words to read")
    parser.add_argument("--sets", type=str, default=None, help="only these, separated by commas")
    parser.add_argument("--variants", type=str, default=",".join(VARIANTS), help="which, separated by commas")
    parser.add_argument("--list", action="store_true", help="name the variants and what they change")
    parser.add_argument("--config", type=str, default="crnn-light", help="the model and its training")
    parser.add_argument("--init", type=str, default=None, help="weights that all variants start from")
    training.add_arguments(parser)


def run(args) -> int:
    """Trains all variants; one that cannot be trained is named, and the exit code is then 1."""
    if args.list:
        print("\n".join(f"{name:<18}{changes or 'the recipe as it is'}" for name, changes in VARIANTS.items()))
        return 0
    if not args.root:
        raise UserError("--root: is missing; see --help")
    names = renderer.chosen(args.variants)
    given, config = training.configured(args)
    outcomes, problems = _train_all(given, config, names)
    if args.json:
        print(_json(outcomes, problems))
    else:
        print("\n".join([*renderer.table(outcomes), *problems]))
    return int(bool(problems))


def _train_all(args, config, names: list[str]) -> tuple[list, list[str]]:
    from crnn_jt.weights import find_weights
    from eval.sets import find

    if args.init:
        find_weights(args.init)  # a wrong name is one mistake, not one of each variant
    sets, unusable = find(args.root, args.sets.split(",") if args.sets else None)
    config, out = replace(config, train=replace(config.train, validate_every=config.train.steps)), Path(args.out)
    training.settle(out, args, config)
    budget = f"{args.minutes:g} minutes" if args.minutes else f"{config.train.steps} steps"
    note = f"{config.model.name} from {args.init or 'fresh weights'}, {budget} of {config.train.batch_size} words"

    def report(outcomes: list, problems: list[str]) -> None:
        write_text(out / "renderer.json", _json(outcomes, unusable + problems) + "\n")
        if outcomes:
            write_text(out / "renderer.md", renderer.document(outcomes, f"{note}, seed {config.train.seed}"))

    outcomes, problems = training.one_by_one(
        names, lambda name: renderer.train(config, name, args, out / name, sets), report
    )
    return outcomes, unusable + problems


def _json(outcomes: list, problems: list[str]) -> str:
    return json.dumps({"variants": [asdict(one) for one in outcomes], "problems": problems}, indent=1)
