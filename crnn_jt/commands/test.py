"""Measures a model on labelled data: word accuracy, 1-NED and character error rate over the whole set.

python -m crnn_jt test --weights crnn-light --data data/IIIT5K
"""

from __future__ import annotations

import json
import logging

from crnn_jt.commands.read import DEFAULT


def add_arguments(parser) -> None:
    """The options of `test`."""
    parser.add_argument("--weights", type=str, default=DEFAULT, help="a model's name or weights file")
    parser.add_argument("--data", type=str, nargs="+", required=True, help="data sets: LMDB, folders, MJSynth")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def run(args) -> None:
    """Prints the scores."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    from crnn_jt.reading import load
    from data_tools.readers import open_readers

    reader = load(args.weights)
    scores, examples = measure(reader, open_readers(args.data))
    if args.json:
        print(json.dumps({"weights": args.weights, **scores}, indent=1))
        return
    for line in examples[:20]:
        print(line)
    for name, value in scores.items():
        print(f"{name:>18}  {value:.2f}" if isinstance(value, float) else f"{name:>18}  {value}")


def measure(reader, data) -> tuple[dict, list[str]]:
    """Scores of a reader on a data set, every usable sample once, and the wrong readings as lines."""
    from crnn_jt.evaluation import evaluate
    from data_tools.loader import Loader

    loader = Loader(data, reader.transform, 256, accept=reader.tokenizer.accept)
    return evaluate(loader, reader.readings, reader.tokenizer, progress=True)
