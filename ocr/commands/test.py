"""Measures what is found and read in photographs with known text.

  python -m ocr test --data ICDAR2015 --detector runs/db/best.safetensors
  python -m ocr test --data SVT --partial
  python -m ocr test --data scenes --json

DATA is photographs with regions of text, in any of the layouts of docs/data.md. Detection: recall, precision and their
harmonic mean at an intersection over union of 0.5, one to one; what lies in a region marked ### is not judged. DetEval:
the same by areas, where one region may stand for several. End to end: where the word is read right too. Words: as
multisets, wherever they are. CER: edits for each character of a page. Words are compared as lower-case letters and
digits. `python -m eval photos` measures several sets, with lexicons, and shows the worst pictures.
"""

from __future__ import annotations

import json
import logging

from data_tools.checks import check_at_least, check_one_of
from ocr.options import add_model_arguments, open_models


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("--data", type=str, required=True, help="photographs with regions of text")
    add_model_arguments(parser)
    parser.add_argument("--unit", type=str, default="words", help="what the regions are: words or lines")
    parser.add_argument("--partial", action="store_true", help="only some words are annotated: recall alone is told")
    parser.add_argument("--limit", type=int, default=0, help="at most this many photographs (0: all)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args) -> None:
    """Prints the scores."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    from data_tools.readers import open_reader
    from ocr.scores import UNITS, Scores, measure

    check_one_of("--unit", args.unit, UNITS)
    check_at_least("--limit", args.limit, 0)
    data = open_reader(args.data)
    values = measure(open_models(args), data, Scores(args.unit, args.partial), limit=args.limit).values()
    print(json.dumps(values, indent=1) if args.json else "\n".join(_lines(values)))


def _lines(values: dict) -> list[str]:
    skipped = f", {values['skipped']} left out" if "skipped" in values else ""
    rows = {"detection": values["detection"], "DetEval": values["deteval"], "end to end": values["end_to_end"]["none"]}
    rows |= {"words": values["words"]}
    lines = [f"{values['n']} photographs{skipped}"]
    for name, row in rows.items():
        lines.append(f"{name:>10}  " + ", ".join(f"{key} {_figure(value)}" for key, value in row.items()))
    return [*lines, f"{'cer':>10}  {_figure(values['cer'])}"]


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
