"""Shows a classifier of direction each picture of a word or line as it is and turned round, and counts right answers.

ROOT holds labelled words or lines, as for `eval words`. Words of less than three letters and digits are left out, which
nobody could tell, and so are tall pictures: their text runs up or down, and no label says which. With --recognizer
what the classifier doubts is read both ways, as `ocr read --direction` does. --peer rapidocr asks RapidOCR's classifier
of the same pictures.

  python -m eval directions --root data/dev --weights runs/turn/best.safetensors
  python -m eval directions --root data/dev --weights runs/turn/best.safetensors --sets IC15,SVT --peer rapidocr
  python -m eval directions --root data/dev --weights direction-light --recognizer line-light
"""

from __future__ import annotations

from data_tools.checks import check_one_of
from eval.columns import align
from eval.options import parse_names
from eval.photos.peer import PEERS
from eval.words.sets import find_sets


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("--root", type=str, required=True, help="folder of labelled words or lines")
    parser.add_argument("--weights", type=str, required=True, help="a classifier: a name or a weights file")
    parser.add_argument("--recognizer", type=str, default=None, help="asked too where the classifier is in doubt")
    parser.add_argument("--sets", type=str, default=None, help="only these, separated by commas")
    parser.add_argument("--peer", type=str, default=None, help=f"another program beside it: {' or '.join(PEERS)}")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args) -> None:
    """Measures and prints."""
    if args.peer is not None:
        check_one_of("--peer", args.peer, PEERS)
    from eval.directions.bench import format_json, make_rows, measure

    sets, problems = find_sets(args.root, parse_names(args.sets) or None)
    results = measure(args.weights, sets, problems, peer=args.peer is not None, recognizer=args.recognizer)
    print(format_json(results, problems) if args.json else "\n".join([*align(make_rows(results)), *problems]))
