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
from eval.machine import describe_machine, format_machine
from eval.options import parse_numbers, require_at_least


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("--n", type=int, default=4000, help="words in each form")
    parser.add_argument("--workers", type=str, default="0,1,2", help="numbers of loader processes, commas between")
    parser.add_argument("--passes", type=int, default=3, help="timed passes; the ways take turns")
    parser.add_argument("--seed", type=int, default=0, help="which words are rendered")
    parser.add_argument("--root", type=str, default=None, help="folder for the temporary files")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args) -> None:
    """Prints a row for each way and number of workers."""
    require_at_least(1, n=args.n, passes=args.passes)
    workers = parse_numbers("--workers", args.workers, 0)
    from eval.reading.bench import measure, prepare
    from eval.reading.report import format_row, make_head

    machine = describe_machine()
    try:
        scratch = tempfile.TemporaryDirectory(dir=args.root)
    except OSError as error:
        raise UserError(f"--root {args.root}: no temporary folder can be made there ({error.strerror})") from error
    with Interruption(), scratch as folder:
        ways = prepare(Path(folder), args.n, args.seed, max(workers))
        rows = []
        for row in measure(ways, Path(folder), workers, args.passes):
            if not args.json:
                print(*([] if rows else [make_head()]), format_row(row), sep="\n", flush=True)
            rows.append(row)
    if args.json:
        print(json.dumps({"machine": machine, "n": args.n, "rows": [asdict(row) for row in rows]}))
    else:
        print(f"{args.n} words; {format_machine(machine)}")
