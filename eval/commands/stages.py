"""Trains stage combinations for the same budget and tabulates accuracy, loss, parameters and images a second.

By default the five of the report's Table 2, the published accuracy beside them: three generators on the CRNN paper's
extractor, and two residual extractors with CTC. Words are rendered unless --train names data; every combination sees
the same words in the same order. Each leaves its run folder in --out.

  python -m eval stages --out runs/stages --minutes 30
  python -m eval stages --out runs/quick --steps 300 --width 0.25 --batch-size 32
  python -m eval stages --smoke                          every combination, narrow, over-fits 32 rendered words
  python -m eval stages --out runs/mine --steps 2000 --combinations light+ctc,light+identity+ctc
"""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import asdict, replace
from pathlib import Path

from data_tools.errors import UserError
from eval.stages import PUBLISHED, Outcome

SMOKE_STEPS = 400


def add_arguments(parser) -> None:
    """Adds the command's arguments to a jsonargparse parser."""
    parser.add_argument("--out", type=str, default="", help="folder for the run folders")
    parser.add_argument("--smoke", action="store_true", help="over-fit 32 words with every combination of stages")
    parser.add_argument("--config", type=str, default="crnn", help="where the other stages and the training come from")
    parser.add_argument("--combinations", type=str, default=",".join(PUBLISHED), help="extractor+generator, by commas")
    parser.add_argument("--steps", type=int, default=None, help="optimiser steps of each combination")
    parser.add_argument("--minutes", type=float, default=0.0, help="or minutes of each")
    parser.add_argument("--batch-size", type=int, default=None, help="images a step instead of the configuration's")
    parser.add_argument("--width", type=float, default=1.0, help="of the extractors: 0.5 halves their channels")
    parser.add_argument("--train", type=str, nargs="+", default=[], help="data sets; none: rendered words")
    parser.add_argument("--val", type=str, nargs="+", default=[], help="data sets to validate on; none: rendered words")
    parser.add_argument("--device", type=str, default="cpu", help="cpu or cuda")
    parser.add_argument("--precision", type=str, default=None, help="float32, or bfloat16 with CRNN_BACKEND=torch")
    parser.add_argument("--workers", type=int, default=None, help="loader processes")
    parser.add_argument("--seed", type=int, default=0, help="of weights, order and rendering")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args) -> int:
    """Trains all combinations; those that cannot be built are named, and the exit code is then 1."""
    from crnn_jt.commands.train import configure
    from eval.stages import combined, train

    if args.smoke:
        return smoke(args)
    if not args.out:
        raise UserError("--out: name a folder for the run folders (or ask for --smoke)")
    if args.steps is None and not args.minutes:
        raise UserError("--steps or --minutes: name the budget of each combination")
    given = Namespace(
        **vars(args), learning_rate=None, fonts=None, words=None, backgrounds=None, init=None, resume=False
    )
    config = configure(given)
    spec = config.train
    spec = replace(spec, log_every=max(min(spec.log_every, spec.steps // 10), 1), validate_every=spec.steps)
    outcomes, problems = [], []
    for combination in args.combinations.split(","):
        try:
            one = combined(replace(config, train=spec), combination.strip(), args.width)
            outcomes.append(train(one, given, Path(args.out) / combination.strip()))
        except UserError as error:
            problems.append(f"{combination}: {error}")
    if not outcomes:
        raise UserError("; ".join(problems))
    if args.json:
        print(json.dumps({"combinations": [asdict(one) for one in outcomes], "problems": problems}, indent=1))
    else:
        print("\n".join([*_table(outcomes), *problems]))
    return int(bool(problems))


def smoke(args) -> int:
    """Over-fits with every combination, a line each; 1 where one did not read all its words, else 0."""
    from eval.overfit import WORDS, combinations, overfit

    found = []
    for model in combinations():
        found.append(overfit(model, args.steps or SMOKE_STEPS, args.seed))
        if not args.json:
            one = found[-1]
            print(f"{one.combination:<38}{one.right:>4}/{WORDS}  {one.steps:>5} steps  loss {one.loss:.3f}", flush=True)
    if args.json:
        print(json.dumps({"words": WORDS, "combinations": [asdict(one) for one in found]}, indent=1))
    return int(any(one.right < WORDS for one in found))


def _table(outcomes: list[Outcome]) -> list[str]:
    header = ("accuracy", "published", "1-NED", "loss", "parameters", "images/s")
    lines = [f"{'combination':<28}" + "".join(f"{name:>12}" for name in header)]
    for one in outcomes:
        published = PUBLISHED.get(one.combination)
        cells = (f"{one.accuracy:.2f}", f"{published:.2f}" if published else "-", f"{one.ned:.1f}", f"{one.loss:.3f}")
        cells += (f"{one.parameters:,}", f"{one.images_per_s:.1f}")
        lines.append(f"{one.combination:<28}" + "".join(f"{cell:>12}" for cell in cells))
    return lines
