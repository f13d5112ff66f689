"""Cuts the words or lines out of photographs, upright, into an LMDB: training data of readers and turns.

SCENES are photographs with regions of text, in any of the layouts of docs/data.md. Perspective is undone, bent text is
made level, text that runs up or down is laid down as its outline says where it begins. What is not legible is left out.

  python -m data_tools crops ICDAR2015 --out words.lmdb
  python -m data_tools crops scenes Total-Text --out lines.lmdb --unit lines --workers 2
  python -m data_tools crops scenes --out turned.lmdb --turned 0.5

With --unit lines, words that stand behind each other are joined. --turned puts that share of the pictures on its head;
each says by how many degrees it is turned in a record angle-%09d. An interrupted run leaves a data set that opens;
--resume goes on with it. Nothing is overwritten.
"""

from __future__ import annotations

import json
import logging

from data_tools.checks import check_at_least


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("scenes", metavar="SCENES", type=str, nargs="+", help="photographs with regions of text")
    parser.add_argument("--out", metavar="X.lmdb", type=str, required=True, help="the LMDB to write; must not exist")
    parser.add_argument("--unit", type=str, default="words", help="words (regions as they are annotated) or lines")
    parser.add_argument("--turned", metavar="SHARE", type=float, default=0.0, help="share that stands on its head, 0-1")
    parser.add_argument("--seed", type=int, default=0, help="which of them are turned")
    parser.add_argument("--workers", type=int, default=0, help="processes that cut (0: this one)")
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    parser.add_argument("--json", action="store_true", help="print one JSON document with the counts")


def run(args) -> None:
    """Writes the LMDB and says how many regions it has."""
    from data_tools.lmdb_writer import write_lmdb
    from data_tools.photos.regions import CutRegions
    from data_tools.readers import open_readers
    from data_tools.records import jpeg

    logging.basicConfig(format="%(message)s")
    check_at_least("--workers", args.workers, 0)
    reader = CutRegions(open_readers(args.scenes), args.unit, args.turned, args.seed)
    source = f"crops of {args.scenes} {args.unit} turned {args.turned} seed {args.seed}"
    options = {"workers": args.workers, "resume": args.resume, "encode": jpeg, "source": source}
    written = write_lmdb(reader, args.out, **options)
    skipped = +(written.skipped + reader.skipped)
    if args.json:
        print(json.dumps({"path": args.out, "n": written.count, "skipped": skipped}))
        return
    left_out = "; left out: " + ", ".join(f"{count} × {why}" for why, count in skipped.most_common())
    print(f"{args.out}: {written.count} {args.unit}{left_out if skipped else ''}")
