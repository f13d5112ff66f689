"""Photographs read and judged by the ICDAR protocols: words found, words read where they are, words read at all.

ROOT holds sets of photographs with regions of text, a folder each, in any of the layouts of docs/data.md; or it is one.

  python -m eval photos --root scenes_dev --detector runs/db/best.safetensors                the table
  python -m eval photos --root scenes_dev --sets IC15,SVT --json > figures.json
  python -m eval photos --root test_sets --lexicons S,W,G,full,none --html report.html
  python -m eval photos --root test_sets --peer rapidocr      RapidOCR on the same photographs, in turn

Detection: one to one at an intersection over union of 0.5, and DetEval (area recall 0.8, precision 0.4, one to many and
many to one). End to end: F of words that are found and read right, without and with lexicons, in ICDAR's layout: Strong
(voc_IMAGE.txt), Weak (*vocabulary.txt) and Generic (*generic*.txt) in the set's folder, full (all words of the set).
Words: as multisets, wherever they are. CER: edits for each character of a page. Texts are compared as lower-case
letters and digits; what lies in a region marked ### is not judged. Of sets whose words are annotated in part (SVT, and
those of --partial) recall alone is told. Sets of lines (SROIE, TD500 …, and those of --lines) are compared with lines.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

from data_tools.errors import UserError
from data_tools.files import write_text
from eval.options import parse_names, require_at_least
from eval.photos import peer, protocols, report
from eval.photos.sets import find_sets
from ocr.options import add_model_arguments


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("--root", type=str, required=True, help="folder of sets of photographs")
    add_model_arguments(parser)
    parser.add_argument("--sets", type=str, default=None, help="only these, separated by commas")
    parser.add_argument("--lexicons", type=str, default=None, help=f"some of {','.join(protocols.COLUMNS)}")
    parser.add_argument("--partial", type=str, default=None, help="sets of which only some words are annotated")
    parser.add_argument("--lines", type=str, default=None, help="sets whose regions are lines")
    parser.add_argument("--limit", type=int, default=0, help="at most this many photographs of each set (0: all)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--html", type=str, default=None, help="write a self-contained page with the worst pictures")
    parser.add_argument("--peer", type=str, default=None, help="rapidocr: another program reads and is timed in turn")
    parser.add_argument("--worst", type=int, default=60, help="pictures on the page at most")


def run(args) -> int:
    """Evaluates, prints and writes the reports."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    from eval.photos.bench import Choices
    from ocr.options import open_models

    require_at_least(0, limit=args.limit, worst=args.worst)
    columns = protocols.choose_columns(args.lexicons)
    choices = Choices(columns, args.limit, parse_names(args.partial), parse_names(args.lines))
    sets, problems = find_sets(args.root, parse_names(args.sets) or None)
    _check_names(choices, sets)
    reader = peer.start(args.peer, open_models(args))
    try:
        results = _evaluate(reader, sets, Path(args.root), choices, problems)
    finally:
        peer.stop(reader)
    if not results:
        raise UserError(f"--root {args.root}: {'; '.join(problems)}")
    title = f"{args.detector or args.models} on {args.root}"
    if args.html:
        from eval.photos.page import make_page

        write_text(args.html, make_page(results, {each.name: each for each in sets}, title, problems, args.worst))
    if args.json:
        print(json.dumps({result.name: result.to_json() for result in results}, indent=1))
        print("\n".join(problems), end="\n" * bool(problems), file=sys.stderr)
    else:
        print(report.format_report(results, title, problems))
    return 0


def _check_names(choices, sets) -> None:
    """Raises UserError where --partial or --lines names no set: figures would mean something else than was meant."""
    for option, names in (("--partial", choices.partial), ("--lines", choices.lines)):
        for name in names:
            if not any(protocols.is_named(each.name, [name]) for each in sets):
                raise UserError(f"{option} {name}: there is no such set; there are {', '.join(s.name for s in sets)}")


def _evaluate(reader, sets, root: Path, choices, problems: list[str]) -> list:
    """The results of all sets that can be read; the others become problems."""
    from eval.photos.bench import evaluate

    results = []
    for photos in sets:
        try:
            results.append(evaluate(reader, photos, root, choices))
        except UserError as error:
            problems.append(f"{photos.name}: {error}")
    return results
