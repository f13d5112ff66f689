"""Trains the rows of one of PP-OCR's tables alike and says what each strategy is worth, the published figures beside.

All learn from one fixed pool of rendered samples, made once and kept in --out, in --budget samples each; every row is
trained with several seeds, and a change within the spread over them is called no difference. They are validated on
other rendered samples, and with --root on labelled real pictures (as for `eval words`; of detectors photographs with
regions), which are never learnt from. Each leaves its run folder in --out/table-N, where strategies.json,
strategies.md and strategies.png grow with them. Interrupted, the same command goes on; finished rows are kept.

  python -m eval strategies --list
  python -m eval strategies --table 12 --out runs/strategies --root data/dev --fonts fonts --workers 2
  python -m eval strategies --table 9 --budget 200000 --out runs/strategies --root data/dev
  python -m eval strategies --table 12 --rows S3,S4 --pool 2000 --budget 20000 --seeds 1 --out runs/look
  python -m eval strategies --table 12 --init runs/large/best.safetensors --out runs/strategies

The default budget is 20 passes over a pool of 50,000 (of photographs, 2,000): hours a row on two cores. --init adds the
row of pre-trained weights.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from crnn_jt.options import read_changes
from crnn_jt.spec import Config
from crnn_jt.training import TrainOptions
from crnn_jt.training import configure as configure_training
from data_tools.errors import UserError
from data_tools.files import write_text
from eval import training
from eval.machine import describe_machine
from eval.options import parse_names, require_at_least
from eval.strategies import bench, report
from eval.strategies.bench import Outcome, RealSets
from eval.strategies.pool import use_pools
from eval.strategies.tables import Row, Table, choose_rows, find_table

POOLS = {"scenes": 2_000}
POOL = 50_000
PASSES = 20


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("--table", type=int, default=None, help="the paper's number: 3, 5, 7 to 12 or 15")
    parser.add_argument("--part", type=str, default="", help="of table 15: recogniser or detector")
    parser.add_argument("--list", action="store_true", help="name the tables and their rows")
    parser.add_argument("--rows", type=str, default=None, help="only these, separated by commas")
    parser.add_argument("--root", type=str, default="", help="folder of labelled real pictures to judge on")
    parser.add_argument("--budget", metavar="SAMPLES", type=int, default=None, help="of each training")
    parser.add_argument("--pool", type=int, default=None, help="rendered samples to learn from")
    parser.add_argument("--seeds", type=int, default=2, help="trainings of each row, from --seed on")
    parser.add_argument("--init", type=str, default="", help="weights for the row that starts from some")
    parser.add_argument("--config", type=str, default="", help="a model and training instead of the table's own")
    training.add_shared_arguments(parser)


def run(args) -> int:
    """Trains all rows; one that cannot be trained is named, and the exit code is then 1."""
    if args.list:
        print(report.format_tables())
        return 0
    table, rows = _read_table(args)
    config, options = _configure(args, table)
    out, real = Path(args.out) / f"table-{table.number}{args.part and '-' + args.part}", _open_real(args, config)
    training.record_settings(out, replace(options, init=""), config)
    note = f"{config.train.steps * config.train.batch_size:,} samples each, of a pool of {_pool_size(args, config):,}"
    kept = _read_kept(out / "strategies.json", args.root)

    def train(name: str) -> Outcome:
        if name not in kept:
            row, seed = names[name]
            kept[name] = bench.train(config, table, row, seed, options, out / name, real)
        return kept[name]

    def write(outcomes: list[Outcome], problems: list[str]) -> None:
        _write(out, table, list(kept.values()), problems, note, args.root)

    names = {f"{row.name}-{seed}": (row, seed) for seed in range(args.seed, args.seed + args.seeds) for row in rows}
    _, problems = training.train_each(names, train, write)
    if args.json:
        print((out / "strategies.json").read_text(encoding="utf-8").rstrip())
    else:
        print("\n".join([report.format_table(table, bench.compare(table, list(kept.values())), note), *problems]))
    return int(bool(problems))


def _read_table(args) -> tuple[Table, list[Row]]:
    """The table and the rows that are asked for. Raises UserError for a mistake, before anything is rendered."""
    if args.table is None:
        raise UserError("--table: name one; --list lists them")
    if not args.out:
        raise UserError("--out: name a folder for the pool and the run folders")
    require_at_least(1, seeds=args.seeds)
    table = find_table(args.table, args.part)
    rows = choose_rows(table, parse_names(args.rows) if args.rows is not None else None)
    if args.init:
        from crnn_jt.weights import find_weights

        find_weights(args.init)
        if not any(row.initialised for row in rows):
            raise UserError(f"--init: table {table.number} has no row that starts from weights among those asked for")
    rows = [row for row in rows if args.init or not row.initialised]
    if not rows:
        raise UserError("--init: name the weights that this row starts from")
    return table, rows


def _configure(args, table: Table) -> tuple[Config, TrainOptions]:
    """What all rows share, with the pools to learn from and to validate on. Raises UserError."""
    config = configure_training(args.config or table.config, read_changes(args))
    size = _pool_size(args, config)
    budget = PASSES * size if args.budget is None else args.budget
    require_at_least(config.train.batch_size, pool=size, budget=budget)
    steps = budget // config.train.batch_size
    often = {name: max(1, min(getattr(config.train, name), steps // 5)) for name in ("checkpoint_every", "log_every")}
    config = replace(config, train=replace(config.train, steps=steps, validate_every=steps, **often))
    for row in table.rows:
        bench.configure_row(config, table, row, args.seed)  # a mistake in a configuration costs no rendering
    config = use_pools(config, size, Path(args.out) / "pool")
    return config, TrainOptions(args.out, init=args.init, device=args.device)


def _pool_size(args, config: Config) -> int:
    return POOLS.get(config.data.kind, POOL) if args.pool is None else args.pool


def _open_real(args, config: Config) -> RealSets:
    if not args.root or config.model.kind != "recognizer":
        return RealSets(args.root)
    from eval.words.sets import find_sets

    return RealSets(args.root, tuple(find_sets(args.root)[0]))


def _read_kept(path: Path, root: str) -> dict[str, Outcome]:
    """The outcomes of an earlier run that was judged on the same pictures. Raises UserError for another file."""
    if not path.is_file():
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        outcomes = [Outcome(**values) for values in document["outcomes"]] if document["root"] == root else []
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path}: holds no table of strategies; name another folder as --out") from error
    return {f"{one.row}-{one.seed}": one for one in outcomes}


def _write(out: Path, table: Table, outcomes: list[Outcome], problems: list[str], note: str, root: str) -> None:
    results = bench.compare(table, outcomes)
    facts = {"root": root, "machine": describe_machine(), "note": note, "problems": problems}
    write_text(out / "strategies.json", report.format_json(table, outcomes, results, facts) + "\n")
    if results:
        write_text(out / "strategies.md", report.format_document(table, results, note))
        report.plot(table, results, out / "strategies.png")
