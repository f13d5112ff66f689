"""Searches for a backbone in AutoSTR's space, in two steps; the configuration's extractor must be named autostr.

  python -m crnn_jt search paths --config autostr --out runs/paths
  python -m crnn_jt search operations --config autostr --path ABABB --out runs/operations
  python -m crnn_jt search operations --config autostr --out runs/latency --cost latency --goal 4000

paths: one operation in all layers, trained on each of the ten typical downsampling paths; a table, best validation
loss first, and paths.json. operations: the seven operations of each layer under a cost, on one path; found.yaml to
train, and found.safetensors with what the weights learnt on the way. What the alphas learn from must not be what is
learnt from otherwise: --search-data, or else rendered words of another seed and --search-fonts. Either goes on with
--resume, as it was begun. --cost latency measures first what each operation takes in each layer on this machine, where
nothing else should run, and keeps the table as latency.json; --latencies takes such a table instead.
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

from crnn_jt.options import add_training_arguments, read_config, read_options
from crnn_jt.spec import Config
from data_tools.checks import check_one_of
from data_tools.errors import UserError

SAMPLES = {"paths": 100_000, "operations": 500_000}


def add_arguments(parser) -> None:
    """The options of `search`: those of a training, and its own."""
    parser.add_argument("step", choices=list(SAMPLES), help="paths or operations")
    add_training_arguments(parser)
    parser.add_argument("--samples", type=int, help="words to learn from (of a path 100,000; of operations 500,000)")
    parser.add_argument("--operation", type=str, default="residual", help="paths: residual, or k3e1 (MBConv(3,1)) …")
    parser.add_argument("--path", type=str, default="ABABB", help="operations: A (2, 2), B (2, 1), a letter a stage")
    parser.add_argument("--search-data", type=str, nargs="+", default=[], help="operations: what the alphas learn from")
    parser.add_argument("--search-fonts", type=str, default="", help="operations: a folder of fonts for their words")
    parser.add_argument("--beta", type=float, default=0.6, help="operations: how much the cost weighs; 0: nothing")
    parser.add_argument("--cost", type=str, default="flops", help="operations: flops (multiply-adds) or latency")
    parser.add_argument("--goal", type=float, default=450.0, help="operations: millions, or microseconds a picture")
    parser.add_argument("--latencies", type=str, default="", help="operations: a table that was measured before")
    parser.add_argument("--every", type=int, default=5, help="operations: each this many steps one for the alphas")
    parser.add_argument("--warm-up", type=int, help="operations: steps of drawing alike (a third of all)")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def run(args) -> None:
    """Runs one step of the search and prints what it found."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if args.samples is not None and args.samples < 1:
        raise UserError(f"--samples {args.samples}: it takes 1 or more")
    check_one_of("--cost", args.cost, ("flops", "latency"))
    if args.step == "paths" and args.cost == "latency":
        raise UserError("--cost latency: it goes with `search operations`; paths are ranked by their loss")
    if args.latencies and args.cost != "latency":
        raise UserError("--latencies: it goes with --cost latency")
    found = _paths(args) if args.step == "paths" else _operations(args)
    if args.json:
        print(json.dumps(found, indent=1))
        return
    for row in found:
        print("  ".join(f"{name} {value}" for name, value in row.items()))


def _paths(args) -> list[dict]:
    from crnn_jt.search.runs import search_paths

    config = None if args.resume else _with_steps(args, read_config(args))
    names = ("init", "minutes", "device", "cache", "tensorboard")
    options = {name: getattr(args, name) for name in names}
    return search_paths(config, Path(args.out), options, args.operation)


def _operations(args) -> list[dict]:
    from crnn_jt.search.latency import write_table
    from crnn_jt.search.runs import begin, operations_config, with_latencies, write_found
    from crnn_jt.training import assemble

    config, given = read_config(args), None
    if not args.resume:
        given = config = _with_steps(args, config)
        warm_up = config.train.steps // 3 if args.warm_up is None else args.warm_up
        options = {"warm_up": warm_up, "every": args.every, "beta": args.beta, "goal": args.goal}
        options |= {"data": list(args.search_data)} if args.search_data else {}
        options |= {"recipe": {"fonts": [args.search_fonts]}} if args.search_fonts else {}
        config = operations_config(given, args.path, options)
        if args.cost == "latency":
            config = with_latencies(config, Path(args.latencies) if args.latencies else None)
        if args.learning_rate is not None:
            config = replace(config, train=replace(config.train, learning_rate=args.learning_rate))
    trainer = assemble(config, read_options(args))
    if given is not None:
        begin(Path(args.out), given)
        if args.cost == "latency":
            write_table(Path(args.out) / "latency.json", config.task.options["latencies"])
    trainer.run()
    return write_found(Path(args.out))


def _with_steps(args, config: Config) -> Config:
    """As many steps as --samples, or the step's usual number, are batches; --steps and --minutes say it otherwise."""
    if args.steps is not None or args.minutes:
        return config
    samples = SAMPLES[args.step] if args.samples is None else args.samples
    return replace(config, train=replace(config.train, steps=max(1, round(samples / config.train.batch_size))))
