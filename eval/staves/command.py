"""Staves a second, read and trained on, of the models of scores, with the renderer's scores a second; and memory.

  python -m eval staves                                              primus, primus-wide and omr-light, fresh weights
  python -m eval staves --weights omr-light --batches 1,16 --repeats 10 --json > staves.json
  python -m eval staves --config primus-wide --train-steps 0         reading and memory alone
  python -m eval staves --clock cpu --threads 1                      where others use the machine: processor time
  python -m eval staves --smoke                                      instead: a light model learns 64 incipits by heart
  python -m eval staves --angles 100 --pages 20 --weights omr-light  instead: staves photographed at any angle, read

Every model has a process of its own, so that its peak memory is its own. Scores are rendered as its configuration says.
found: staves found in their pictures and framed for the model. read: framed pictures to symbols, a batch at a time
(those of equal width share a call). trained: whole optimiser steps at the pictures' mean width. rendered: scores by one
process, so that one sees how many loader processes training needs. Memory: the process once the weights are in, the
peak after reading one staff of 2000 columns (first, before anything else), the peak after training. Fresh weights are
as fast as trained ones. With a load on the machine, which is printed, wall-clock figures say little.

--angles: so many rendered staves and `--pages` of several are photographed as they lie, and turned by any angle and
from up to 25 degrees aslant: how many of the same staves are found and read exactly, symbol errors, spare readings.
--smoke: omr-light's stages, narrow, must read 64 short rendered incipits without an error within 1000 small steps.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from data_tools.errors import UserError
from eval.machine import count_cores, describe_machine, format_machine
from eval.options import parse_numbers, require_at_least
from eval.workloads import load_models

MODELS = ("primus", "primus-wide", "omr-light")
SMOKE_STEPS = 1000


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("--config", type=str, nargs="+", default=[], help=f"fresh weights ({', '.join(MODELS)})")
    parser.add_argument("--weights", type=str, nargs="+", default=[], help="models by bundled name or weights file")
    parser.add_argument("--batches", type=str, default="1,16", help="staves read at a time, commas between")
    parser.add_argument("--pictures", type=int, default=32, help="rendered staves, read over and over")
    parser.add_argument("--repeats", type=int, default=5, help="times that all of them are read")
    parser.add_argument("--train-batch", type=int, default=16, help="staves of a training step")
    parser.add_argument("--train-steps", type=int, default=5, help="timed steps; one before them is not counted")
    parser.add_argument("--threads", type=int, default=0, help="0: the cores this process may use")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: time of the processor")
    parser.add_argument("--seed", type=int, default=0, help="which scores are rendered")
    parser.add_argument("--smoke", action="store_true", help="over-fit 64 incipits with a light model, no bench")
    parser.add_argument("--angles", type=int, default=0, help="no bench: read so many staves from any angle")
    parser.add_argument("--pages", type=int, default=0, help="and so many pages of them")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args) -> int:
    """Measures and prints; 1 where a model could not be measured, which is named, else 0."""
    if args.smoke:
        return run_smoke(args)
    if args.angles or args.pages:
        return run_angles(args)
    batches, models = _parse_batches(args), _load_models(args)
    from eval.staves import report

    threads = args.threads or count_cores()
    machine = {**describe_machine(), "threads": threads, "clock": args.clock}
    found = {}
    for name, (config, named) in models.items():
        found[name] = _measure(args, name, config.model, {**named, "batches": batches, "threads": threads})
    if args.json:
        print(json.dumps({"machine": machine, "pictures": args.pictures, "models": found}, indent=1))
    else:
        print(f"{format_machine(machine)}; {threads} threads, {args.clock} clock\n")
        print("\n".join(report.format_models(found, batches)))
    return int(any("problem" in own for own in found.values()))


def run_smoke(args) -> int:
    """Over-fits, a line; 1 where not all incipits were read, else 0."""
    from eval.overfit import INCIPITS, overfit
    from eval.staves.smoke import BATCH, make_light_music

    require_at_least(0, seed=args.seed)
    begin = time.process_time()
    found = overfit(make_light_music(), SMOKE_STEPS, args.seed, INCIPITS, BATCH)
    seconds = round(time.process_time() - begin, 1)
    if args.json:
        print(json.dumps({**asdict(found), "incipits": INCIPITS, "cpu_s": seconds}))
    else:
        print(f"{found.right} of {INCIPITS} incipits, {found.steps} steps, loss {found.loss:.3f}, {seconds} s CPU")
    return int(found.right < INCIPITS)


def run_angles(args) -> int:
    """Reads staves as they lie and from any angle, a line for each kind of photograph; 0."""
    from eval.staves import angles
    from omr.reading import DEFAULT, load

    require_at_least(0, angles=args.angles, pages=args.pages, seed=args.seed)
    for name in args.weights or [DEFAULT]:
        found = angles.measure_angles(load(name), args.seed, args.angles, args.pages)
        if args.json:
            print(json.dumps({"weights": name, **found}, indent=1))
            continue
        for kind, own in found.items():
            print(f"{name}, {kind}: " + ", ".join(f"{key} {value}" for key, value in own.items()))
    return 0


def _parse_batches(args) -> list[int]:
    """The batch sizes; raises UserError for what no bench can be run with."""
    require_at_least(1, pictures=args.pictures, repeats=args.repeats, train_batch=args.train_batch)
    require_at_least(0, train_steps=args.train_steps, threads=args.threads, seed=args.seed)
    return list(parse_numbers("--batches", args.batches))


def _load_models(args) -> dict[str, tuple]:
    """By name: the configuration, and where the weights come from. Raises UserError for models of words."""
    models = load_models(args.config or ([] if args.weights else list(MODELS)), args.weights)
    for name, (config, _) in models.items():
        if not config.model.labels.vocabulary:
            raise UserError(f"{name}: reads words, not music; name {', '.join(MODELS)} or weights of such a model")
    return models


def _measure(args, name: str, spec, known: dict) -> dict:
    """One model's figures, in the process that the job `known` and the options describe."""
    from eval.staves import bench

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        pictures, rate = bench.render(bench.choose_recipe(spec), args.seed, args.pictures, folder, args.clock)
        wanted = {key: getattr(args, key) for key in ("repeats", "train_batch", "train_steps", "clock")}
        job = {"model": name, **known, "pictures": pictures, **wanted}
        found = bench.measure_apart(job, folder)
    return found if "problem" in found else {**found, "rendering": {"scores_per_s": round(rate, 2)}}
