"""Compares ways of reading training data: files, LMDB, MJSynth's annotation files, rendering; in samples a second.

  python -m eval reading --n 4000 --workers 0,1,2

The same rendered words are stored in each form in a temporary folder (--root puts it on another disk), then loaded as
training does: shuffled, decoded, resized to 32 x 100, batched. `warm` is the median of the passes with the files in
memory, `cold` the first pass after the system was asked to forget them, `CPU us` the processor time of a sample, which
says more than the clock where others are busy on the machine.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

from crnn_jt.interruption import Interruption
from data_tools.errors import UserError
from eval.machine import describe, line


def add_arguments(parser) -> None:
    """Adds the command's arguments to a jsonargparse parser."""
    parser.add_argument("--n", type=int, default=4000, help="words in each form")
    parser.add_argument("--workers", type=str, default="0,1,2", help="numbers of loader processes, commas between")
    parser.add_argument("--passes", type=int, default=3, help="timed passes; the ways take turns")
    parser.add_argument("--seed", type=int, default=0, help="which words are rendered")
    parser.add_argument("--root", type=str, default=None, help="folder for the temporary files")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args) -> None:
    """Prints a row for each way and number of workers."""
    if args.n < 1 or args.passes < 1:
        raise UserError("--n and --passes take 1 or more")
    workers = _numbers(args.workers)
    from eval.reading_bench import measure, prepare

    machine = describe()
    try:
        scratch = tempfile.TemporaryDirectory(dir=args.root)
    except OSError as error:
        raise UserError(f"--root {args.root}: no temporary folder can be made there ({error.strerror})") from error
    with Interruption(), scratch as folder:
        ways = prepare(Path(folder), args.n, args.seed, max(workers))
        rows = []
        for row in measure(ways, Path(folder), workers, args.passes):
            rows.append(row)
            if not args.json:
                _print_row(row, first=len(rows) == 1)
    if args.json:
        print(json.dumps({"machine": machine, "n": args.n, "rows": [asdict(row) for row in rows]}))
    else:
        print(f"{args.n} words; {line(machine)}")


def _numbers(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() for part in parts):
        raise UserError(f"--workers {text}: give numbers with commas between, such as 0,1,2")
    return [int(part) for part in parts]


def _print_row(row, first: bool) -> None:
    if first:
        heads = f"{'warm/s':>8} {'(least-greatest)':>17} {'cold/s':>8} {'CPU us':>7} {'open s':>7}"
        print(f"{'way':<20} {'workers':>7} {heads}")
    cold, cost = (f"{value:.0f}" if value else "-" for value in (row.cold, row.cpu_us))
    spread = f"({row.least:.0f}-{row.greatest:.0f})"
    figures = f"{row.warm:8.0f} {spread:>17} {cold:>8} {cost:>7} {row.open_s:7.3f}"
    print(f"{row.way:<20} {row.workers:>7} {figures}", flush=True)
