"""Trains stage combinations for the same budget and tabulates accuracy, loss, parameters and images a second.

By default the five of the report's Table 2, the published accuracy beside them: three generators on the CRNN paper's
extractor, and two residual extractors with CTC. Words are rendered unless --train names data; every combination sees
the same words in the same order. Each leaves its run folder in --out, where stages.json and stages.md grow with them.
Interrupted, the same command goes on where it stood.

  python -m eval stages --out runs/stages --minutes 30
  python -m eval stages --out runs/quick --steps 300 --width 0.25 --batch-size 32
  python -m eval stages --out runs/mine --steps 2000 --combinations light+ctc,light+identity+ctc
  python -m eval stages --smoke --out runs/smoke
  python -m eval stages --smoke --combinations light+identity+attention --steps 5000

--smoke: every extractor with every refiner and every generator, narrow, learns 32 rendered words by heart: 32/32, or
the reason why not. --steps changes the budget, which the generator sets; --out keeps what is done (smoke.json), with
which an interrupted test goes on.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

from data_tools.errors import UserError
from data_tools.files import write_text
from eval import stages, training
from eval.options import at_least
from eval.overfit import combinations


def add_arguments(parser) -> None:
    """Adds the command's arguments to a jsonargparse parser."""
    parser.add_argument("--smoke", action="store_true", help="over-fit 32 words with every combination of stages")
    parser.add_argument("--config", type=str, default="crnn", help="where the other stages and the training come from")
    parser.add_argument("--combinations", type=str, default=None, help="extractor+generator, by commas")
    parser.add_argument("--width", type=float, default=1.0, help="of the extractors: 0.5 halves their channels")
    parser.add_argument("--train", type=str, nargs="+", default=[], help="data sets; none: rendered words")
    parser.add_argument("--val", type=str, nargs="+", default=[], help="data sets to validate on; none: rendered words")
    training.add_arguments(parser)


def run(args) -> int:
    """Trains all combinations; those that cannot be built are named, and the exit code is then 1."""
    if args.smoke:
        return smoke(args)
    given, config = training.configured(args)
    spec, out = config.train, Path(args.out)
    spec = replace(spec, log_every=max(min(spec.log_every, spec.steps // 10), 1), validate_every=spec.steps)
    config = replace(config, train=spec)
    training.settle(out, given, config)

    def train(name: str) -> stages.Outcome:
        return stages.train(stages.combined(config, name, args.width), given, out / name)

    def report(outcomes: list, problems: list[str]) -> None:
        write_text(out / "stages.json", _json(outcomes, problems) + "\n")
        if outcomes:
            write_text(out / "stages.md", training.markdown(*stages.columns(outcomes)))

    names = _names(args.combinations) or list(stages.PUBLISHED)
    outcomes, problems = training.one_by_one(names, train, report)
    print(_json(outcomes, problems) if args.json else "\n".join([*_table(outcomes), *problems]))
    return int(bool(problems))


def _names(given: str | None) -> list[str]:
    names = [name.strip() for name in (given or "").split(",") if name.strip()]
    if given is not None and not names:
        raise UserError(f"--combinations {given!r}: name some, such as vgg+ctc,light+identity+attention")
    return names


def smoke(args) -> int:
    """Over-fits with every combination, a line each; 1 where one did not read all its words, else 0."""
    if args.steps is not None:
        at_least(1, steps=args.steps)
    at_least(0, seed=args.seed)
    known = {model.name: model for model in combinations()}
    unknown = [name for name in _names(args.combinations) if name not in known]
    if unknown:
        raise UserError(
            f"--combinations {unknown[0]}: the smoke test has extractor+refiner+generator: {', '.join(known)}"
        )
    models = [known[name] for name in _names(args.combinations)] or list(known.values())

    def report(one: stages.Smoke) -> None:
        print(_line(one), file=sys.stderr if args.json else sys.stdout, flush=True)

    out = Path(args.out) / "smoke.json" if args.out else None
    found = stages.smoke_all(models, args.steps, args.seed, out, report)
    failed = [one for one in found if one.right < one.words]
    if args.json:
        print(json.dumps(stages.smoke_document(found, args.seed), indent=1))
    else:
        print(
            f"{len(found) - len(failed)} of {len(found)} read all their words; {sum(o.cpu_s for o in found):.0f} s CPU"
        )
    return int(bool(failed))


def _line(one: stages.Smoke) -> str:
    told = f"{one.combination:<38}{one.right:>4}/{one.words}  {one.steps:>5} steps  loss {one.loss:.3f}"
    return f"{told}  {one.cpu_s:.0f} s CPU" + (f"  {one.reason}" if one.reason else "")


def _json(outcomes: list, problems: list[str]) -> str:
    return json.dumps({"combinations": [asdict(one) for one in outcomes], "problems": problems}, indent=1)


def _table(outcomes: list[stages.Outcome]) -> list[str]:
    heads, rows = stages.columns(outcomes)
    return [f"{row[0]:<28}" + "".join(f"{cell:>12}" for cell in row[1:]) for row in (heads, *rows)]
