"""Accuracy against multiply-adds and time: at fixed scales, with training at several scales, with distillation, with a
selector, and with both.

  python -m eval resolution --out runs/resolution --samples 200000                       a teacher is trained first
  python -m eval resolution --out runs/resolution --samples 200000 --teacher spotter.safetensors --data scenes_dev/IC15

Teacher, students and selectors are trained on --samples photographs each, students from the teacher's weights; then
each reads the photographs of --data (none: --photos rendered ones with text of 6 to 100 pixels) at each scale, or as
its selector says. Run folders are in --out, where rows.json and rows.md grow with the table. Interrupted, the same
command goes on where it stood: what is trained is not trained again, what is measured not measured.
"""

from __future__ import annotations

import json
import math
import sys
from copy import copy
from dataclasses import replace
from pathlib import Path

from crnn_jt.spec import load_config
from data_tools.errors import UserError
from data_tools.files import write_text
from eval import training
from eval.options import parse_names, require_at_least
from eval.plots import require_plot_name
from eval.resolution import plan

UNSEEN = 7_000_003
"""Seed of the rendered photographs that are measured on."""
HEIGHTS = [6.0, 100.0]
"""Of their capitals, pixels."""


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("--config", type=str, default="spotter-light", help="the spotter and its training")
    parser.add_argument("--selector-config", type=str, default="selector", help="the selector and its training")
    parser.add_argument("--teacher", type=str, default=None, help="its weights; none: trained first")
    parser.add_argument("--samples", type=int, default=0, help="photographs of each training")
    parser.add_argument("--selector-samples", type=int, default=0, help="those of a selector's, if others")
    parser.add_argument("--scales", type=str, default="0.3,0.4,0.5,0.6,0.8,1.0", help="by commas, small to large")
    parser.add_argument("--gammas", type=str, default="0.1,0.3", help="weights of the cost, by commas")
    parser.add_argument("--data", type=str, default=None, help="photographs with regions; none: rendered")
    parser.add_argument("--photos", type=int, default=500, help="how many of them")
    parser.add_argument("--train", type=str, nargs="+", default=[], help="data sets to learn from; none: rendered")
    parser.add_argument("--val", type=str, nargs="+", default=[], help="data sets to validate on; none: rendered")
    parser.add_argument("--plot", type=str, default=None, help="write the curve to this .png, .svg or .pdf")
    training.add_arguments(parser)


def run(args) -> int:
    """Trains and measures what is not yet; those that cannot be are named, and the exit code is then 1."""
    require_plot_name(args.plot)
    require_at_least(1, samples=args.samples, photos=args.photos)
    from eval.resolution import bench, report

    suite = _make_suite(args)
    data, described = _open_photographs(args)
    kept = bench.Kept(suite.out / "rows.json", described)
    trained: dict[str, str] = {}
    for name, train in suite.trainings().items():
        print(f"training: {name}", file=sys.stderr, flush=True)
        try:
            train()
        except UserError as error:
            trained[name] = str(error)
    for row in plan.list_rows(suite.scales, suite.gammas):
        if row.name in kept.rows or {row.student, row.selector} & set(trained):
            continue
        print(f"measuring: {row.name}", file=sys.stderr, flush=True)
        kept.add(bench.measure_row(suite, row, data))
        write_text(suite.out / "rows.md", report.format_document(list(kept.rows.values())))
    rows, problems = list(kept.rows.values()), [f"{name}: {why}" for name, why in trained.items()]
    if args.plot and rows:
        report.draw_curve(rows, args.plot)
    document = json.dumps({**kept.document(), "problems": problems}, indent=1)
    print(document if args.json else "\n".join([report.format_table(rows), *problems]))
    return int(bool(problems))


def _make_suite(args):
    from eval.resolution.bench import Suite

    scales = _parse_shares("--scales", args.scales)
    gammas = _parse_shares("--gammas", args.gammas, most=math.inf)
    options, spotter = training.configure(_with_steps(args, args.config, args.samples))
    samples = args.selector_samples or args.samples
    _, selector = training.configure(_with_steps(args, args.selector_config, samples))
    plan.check_kinds(spotter, selector)
    out = Path(args.out)
    spotter, selector = (_validate_at_the_end(config) for config in (spotter, selector))
    training.record_settings(out, options, spotter)
    return Suite(spotter, selector, options, out, Path(args.teacher) if args.teacher else None, scales, gammas)


def _with_steps(args, config: str, samples: int):
    """The options for one configuration, the budget in steps."""
    made = copy(args)
    batch = args.batch_size or load_config(config).train.batch_size
    made.config, made.steps = config, max(1, math.ceil(samples / batch))
    return made


def _validate_at_the_end(config):
    steps = config.train.steps
    train = replace(config.train, validate_every=steps, log_every=max(1, min(config.train.log_every, steps // 10)))
    return replace(config, train=train)


def _parse_shares(option: str, text: str, most: float = 1.0) -> list[float]:
    """Numbers above 0, from small to large. Raises UserError."""
    try:
        found = sorted({float(part) for part in parse_names(text)})
    except ValueError:
        found = []
    if not found or found[0] <= 0 or found[-1] > most:
        bound = "" if most == math.inf else ", at most 1"
        raise UserError(f"{option} {text}: it takes numbers above 0{bound}, by commas")
    return found


def _open_photographs(args):
    """The photographs to measure on, and a line that says which."""
    from crnn_jt.survey import First
    from data_tools.photos import Recipe, RenderedScenes
    from data_tools.readers import open_reader

    if args.data:
        data = open_reader(args.data)
        return First(data, min(len(data), args.photos)), f"{args.data}, {min(len(data), args.photos)}"
    recipe = Recipe(capitals=tuple(HEIGHTS), system_fonts=True)
    return RenderedScenes(args.seed + UNSEEN, args.photos, recipe), f"rendered, {args.photos}, seed {args.seed}"
