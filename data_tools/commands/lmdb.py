"""Turns any data set into an LMDB, or into files.

SRC is an LMDB, folders of LMDBs (one set together), a folder with gt.txt and image/, an MJSynth annotation file, or a
PrIMuS folder. Where DST ends in .lmdb, an LMDB is written there in the layout that text recognisers share
(num-samples, image-%09d, label-%09d); else a folder with gt.txt and image/.

  python -m data_tools lmdb mnt/90kDICT32px/annotation_train.txt mjsynth.lmdb --workers 4
  python -m data_tools lmdb mjsynth.lmdb mjsynth_files

Every picture is decoded to check it and kept byte for byte. Corrupt samples are named in the log and left out. An
interrupted run leaves a data set that opens; --resume goes on with it. Nothing is overwritten.
"""

from __future__ import annotations

import json
import logging
import os

from data_tools.errors import UserError
from data_tools.folder_writer import write_folder
from data_tools.lmdb_writer import write_lmdb
from data_tools.readers import layout_of, open_reader


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("source", metavar="SRC", type=str, help="the data set to read")
    parser.add_argument("destination", metavar="DST", type=str, help="X.lmdb, or a folder for files")
    parser.add_argument("--workers", type=int, default=0, help="processes that read and check (0: this one)")
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    parser.add_argument("--json", action="store_true", help="print one JSON document with the counts")


def run(args) -> None:
    """Writes the data set and says how many samples it has."""
    logging.basicConfig(format="%(message)s")
    if os.path.realpath(args.source) == os.path.realpath(args.destination):
        raise UserError(f"{args.destination}: is the source too; name another place")
    reader = open_reader(args.source)
    if layout_of(reader):
        raise UserError(f"{args.source}: photographs, whose regions an LMDB does not hold; cut them out with crops")
    options = {"workers": args.workers, "resume": args.resume}
    if args.destination.rstrip("/").endswith(".lmdb"):
        written = write_lmdb(reader, args.destination, source=f"{args.source}", **options)
    else:
        written = write_folder(reader, args.destination, **options)
    if args.json:
        print(json.dumps({"path": args.destination, "n": written.count, "skipped": written.skipped}))
        return
    left_out = f", {written.skipped.total()} left out" if written.skipped else ""
    print(f"{args.destination}: {written.count} samples{left_out}")
