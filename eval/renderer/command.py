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

from dataclasses import replace
from pathlib import Path

from crnn_jt.spec import Config
from crnn_jt.training import TrainOptions
from data_tools.errors import UserError
from data_tools.files import write_text
from eval import training
from eval.options import parse_names
from eval.renderer import bench, report
from eval.renderer.bench import VARIANTS


def add_arguments(parser) -> None:
    """Declares the options."""
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
        print(report.format_variants())
        return 0
    if not args.root:
        raise UserError("--root: is missing; see --help")
    names = bench.parse_variants(args.variants)
    options, config = training.configure(args)
    outcomes, problems = _train_all(args, options, config, names)
    if args.json:
        print(report.format_json(outcomes, problems))
    else:
        print("\n".join([*report.format_table(outcomes), *problems]))
    return int(bool(problems))


def _train_all(args, options: TrainOptions, config: Config, names: list[str]) -> tuple[list, list[str]]:
    from crnn_jt.weights import find_weights
    from eval.words.sets import find_sets

    if options.init:
        find_weights(options.init)  # a wrong name is one mistake, not one of each variant
    sets, unusable = find_sets(args.root, parse_names(args.sets) or None)
    config, out = replace(config, train=replace(config.train, validate_every=config.train.steps)), Path(args.out)
    training.record_settings(out, options, config)
    budget = f"{args.minutes:g} minutes" if args.minutes else f"{config.train.steps} steps"
    note = f"{config.model.name} from {options.init or 'fresh weights'}, {budget} of {config.train.batch_size} words"

    def write(outcomes: list, problems: list[str]) -> None:
        write_text(out / "renderer.json", report.format_json(outcomes, unusable + problems) + "\n")
        if outcomes:
            write_text(out / "renderer.md", report.format_document(outcomes, f"{note}, seed {config.train.seed}"))

    outcomes, problems = training.train_each(
        names, lambda name: bench.train(config, name, options, out / name, sets), write
    )
    return outcomes, unusable + problems
