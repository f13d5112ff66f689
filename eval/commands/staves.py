"""Staves a second, read and trained on, of the models of scores, beside the renderer's scores a second; and memory.

  python -m eval staves                                              primus, primus-wide and omr-light, fresh weights
  python -m eval staves --weights omr-light --batches 1,16 --repeats 10 --json > staves.json
  python -m eval staves --config primus-wide --train-steps 0         reading and memory alone
  python -m eval staves --clock cpu --threads 1                      where others use the machine: processor time
  python -m eval staves --smoke                                      instead: a light model learns 64 incipits by heart

Every model has a process of its own, so that its peak memory is its own. Scores are rendered as its configuration says.
found: staves found in their pictures and framed for the model. read: framed pictures to symbols, so many at a time
(those of equal width share a call). trained: whole optimiser steps at the pictures' mean width. rendered: scores by one
process, so that one sees how many loader processes training needs. Memory: the process once the weights are in, the
peak after reading one staff of 2000 columns (first, before anything else), the peak after training. Fresh weights are
as fast as trained ones. With a load on the machine, which is printed, wall-clock figures say little.

--smoke: omr-light's stages, narrow, must read 64 short rendered incipits without an error within 1000 small steps.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from data_tools.errors import UserError
from eval.machine import describe, line
from eval.options import at_least, numbers

MODELS = ("primus", "primus-wide", "omr-light")
SMOKE_STEPS = 1000


def add_arguments(parser) -> None:
    """Adds the command's arguments to a jsonargparse parser."""
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
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args) -> int:
    """Measures and prints; 1 where a model could not be measured, which is named, else 0."""
    if args.smoke:
        return smoke(args)
    batches, models = _settings(args), _models(args)
    from eval import staves

    threads = args.threads or len(os.sched_getaffinity(0))
    machine = {**describe(), "threads": threads, "clock": args.clock}
    found = {name: _measure(args, name, spec, named, batches, threads) for name, (spec, named) in models.items()}
    if args.json:
        print(json.dumps({"machine": machine, "pictures": args.pictures, "models": found}, indent=1))
    else:
        print(f"{line(machine)}; {threads} threads, {args.clock} clock\n")
        print("\n".join(staves.table(found, batches)))
    return int(any("problem" in own for own in found.values()))


def smoke(args) -> int:
    """Over-fits, a line; 1 where not all incipits were read, else 0."""
    from eval.overfit import INCIPITS, MUSIC_BATCH, light_music, overfit

    at_least(0, seed=args.seed)
    begin = time.process_time()
    found = overfit(light_music(), SMOKE_STEPS, args.seed, INCIPITS, MUSIC_BATCH)
    seconds = round(time.process_time() - begin, 1)
    if args.json:
        print(json.dumps({**asdict(found), "incipits": INCIPITS, "cpu_s": seconds}))
    else:
        print(f"{found.right} of {INCIPITS} incipits, {found.steps} steps, loss {found.loss:.3f}, {seconds} s CPU")
    return int(found.right < INCIPITS)


def _settings(args) -> list[int]:
    """The batch sizes; raises UserError for what no bench can be run with."""
    at_least(1, pictures=args.pictures, repeats=args.repeats, train_batch=args.train_batch)
    at_least(0, train_steps=args.train_steps, threads=args.threads, seed=args.seed)
    return list(numbers("--batches", args.batches))


def _models(args) -> dict[str, tuple]:
    """By name: the spec, and where the weights come from. Raises UserError for models of words."""
    from crnn_jt.spec import load_config
    from crnn_jt.weights import load_weights

    configs = args.config or ([] if args.weights else list(MODELS))
    models = {Path(name).stem: (load_config(name).model, {"config": name, "weights": ""}) for name in configs}
    for name in args.weights:
        models[Path(name).stem] = (load_weights(name).spec, {"config": "", "weights": name})
    for name, (spec, _) in models.items():
        if not spec.labels.vocabulary:
            raise UserError(f"{name}: reads words, not music; name {', '.join(MODELS)} or weights of such a model")
    return models


def _measure(args, name: str, spec, named: dict[str, str], batches: list[int], threads: int) -> dict:
    from eval import staves

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        pictures, rate = staves.render(staves.recipe_of(spec), args.seed, args.pictures, folder, args.clock)
        wanted = {key: getattr(args, key) for key in ("repeats", "train_batch", "train_steps", "clock")}
        job = {"model": name, **named, "pictures": pictures, "batches": batches, "threads": threads, **wanted}
        found = staves.run(job, folder)
    return found if "problem" in found else {**found, "rendering": {"scores_per_s": round(rate, 2)}}
