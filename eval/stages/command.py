"""Trains stage combinations for the same budget and tabulates accuracy, loss, parameters and images a second.

By default the five of the report's Table 2, with the published accuracy: three generators on the CRNN paper's
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
from dataclasses import replace
from pathlib import Path

from data_tools.errors import UserError
from data_tools.files import write_text
from eval import training
from eval.options import parse_names, require_at_least
from eval.stages import bench, report
from eval.stages.combinations import list_combinations
from eval.stages.smoke import Smoke, make_document, run_smoke_test


def add_arguments(parser) -> None:
    """Declares the options."""
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
        return run_smoke(args)
    options, config = training.configure(args)
    spec, out = config.train, Path(args.out)
    spec = replace(spec, log_every=max(min(spec.log_every, spec.steps // 10), 1), validate_every=spec.steps)
    config = replace(config, train=spec)
    training.record_settings(out, options, config)

    def train(name: str) -> bench.Outcome:
        return bench.train(bench.combine_stages(config, name, args.width), options, out / name)

    def write(outcomes: list, problems: list[str]) -> None:
        write_text(out / "stages.json", report.format_json(outcomes, problems) + "\n")
        if outcomes:
            write_text(out / "stages.md", report.format_document(outcomes))

    names = _parse_combinations(args.combinations) or list(bench.PUBLISHED)
    outcomes, problems = training.train_each(names, train, write)
    if args.json:
        print(report.format_json(outcomes, problems))
    else:
        print("\n".join([report.format_table(outcomes), *problems]))
    return int(bool(problems))


def _parse_combinations(given: str | None) -> list[str]:
    names = parse_names(given)
    if given is not None and not names:
        raise UserError(f"--combinations {given!r}: name some, such as vgg+ctc,light+identity+attention")
    return names


def run_smoke(args) -> int:
    """Over-fits with every combination, a line each; 1 where one did not read all its words, else 0."""
    if args.steps is not None:
        require_at_least(1, steps=args.steps)
    require_at_least(0, seed=args.seed)
    models = _choose_models(_parse_combinations(args.combinations))

    def print_line(one: Smoke) -> None:
        print(report.format_smoke(one), file=sys.stderr if args.json else sys.stdout, flush=True)

    out = Path(args.out) / "smoke.json" if args.out else None
    found = run_smoke_test(models, args.steps, args.seed, out, print_line)
    right = sum(one.right == one.words for one in found)
    if args.json:
        print(json.dumps(make_document(found, args.seed), indent=1))
    else:
        print(f"{right} of {len(found)} read all their words; {sum(one.cpu_s for one in found):.0f} s CPU")
    return int(right < len(found))


def _choose_models(names: list[str]) -> list:
    """The combinations of those names, all for none. Raises UserError for one that the smoke test does not have."""
    known = {model.name: model for model in list_combinations()}
    for name in names:
        if name not in known:
            raise UserError(
                f"--combinations {name}: the smoke test has extractor+refiner+generator: {', '.join(known)}"
            )
    return [known[name] for name in names] or list(known.values())
