"""Measures a model of scores: sequence accuracy, symbol error rate, error rates by kind of symbol.

  python -m omr test --weights omr-light --data Corpus --split test
  python -m omr test --weights runs/p/best.safetensors --data Corpus --split test --camera    on distorted pictures
  python -m omr test --weights omr-light --data scores.lmdb --json

DATA is a PrIMuS folder (with its split file), an LMDB of scores or folders of them. Every usable score counts once; a
label with unknown symbols is counted as skipped and named in the log. What the model was trained on does not matter:
camera to clean is a model trained with --camera, tested without it. PrIMuS's labels have their closing bar line where
the last measure is complete, whatever is drawn; a network reads what is drawn. So it is settled by arithmetic, in
readings and labels, before they are compared; --barline drawn compares them as they are.
"""

from __future__ import annotations

import json
import logging

from data_tools.errors import UserError
from omr.reading import DEFAULT


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("--weights", type=str, default=DEFAULT, help="a model's name or weights file")
    parser.add_argument("--data", type=str, nargs="+", required=True, help="PrIMuS folders or LMDBs of scores")
    parser.add_argument("--split", type=str, default=None, help="a split file, or its name in the folder")
    parser.add_argument("--camera", action="store_true", help="read Camera-PrIMuS's distorted pictures")
    parser.add_argument("--batch-size", type=int, default=16, help="pictures at a time")
    parser.add_argument(
        "--barline",
        type=str,
        default="primus",
        help="the closing one, in readings and labels; primus: where the last measure is complete, drawn: as they are",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args) -> None:
    """Prints the scores."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    if args.batch_size < 1:
        raise UserError(f"--batch-size {args.batch_size}: it takes 1 or more")
    from omr.data import open_scores
    from omr.reading import ReadingOptions, load

    reader = load(args.weights, ReadingOptions(barline=args.barline))
    data = open_scores(args.data, args.split, reader.spec.labels.vocabulary, args.camera)
    figures, wrong = measure(reader, data, args.batch_size)
    if args.json:
        print(json.dumps({"weights": args.weights, **figures}, indent=1))
        return
    for line in wrong[:10]:
        print(line)
    exact, edits = figures["sequence_accuracy"], figures["ser"]
    print(f"{figures['n']} scores, {exact:.2f}% exactly right, {edits:.2f}% symbol errors")
    for name, kind in figures["kinds"].items():
        print(f"{name:>10}  {kind['rate']:6.2f}% of {kind['n']}")


def measure(reader, data, batch_size: int = 16) -> tuple[dict, list[str]]:
    """Figures of a `ScoreReader` over a data set, and the wrong readings as lines."""
    from crnn_jt.evaluation import read_all
    from data_tools.loader import Loader, TextLines
    from data_tools.music.semantic import close
    from omr.data import Framed
    from omr.metrics import scores

    sequence = reader.sequence
    loader = Loader(
        Framed(data, reader.spec), TextLines(sequence.transform), batch_size, accept=sequence.tokenizer.accept
    )
    found = read_all(loader, sequence.readings, sequence.tokenizer, progress=None)
    closes = reader.options.barline == "primus" and reader.spec.labels.vocabulary == "semantic"
    settle = close if closes else list
    figures = scores(*([settle(text.split()) for text in texts] for texts in (found.texts, found.truths)))
    pairs = [(one.key, settle(one.truth.split()), settle(one.text.split())) for one in found.wrong]
    wrong = [f"{key}: {' '.join(truth)}\n    read {' '.join(text)}" for key, truth, text in pairs if truth != text]
    return {**figures, **({"skipped": found.skipped} if found.skipped else {})}, wrong
