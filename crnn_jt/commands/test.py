"""Measures a model on labelled data: word accuracy, 1-NED and character error rate over the whole set.

python -m crnn_jt test --weights crnn-light --data data/IIIT5K
python -m crnn_jt test --data data/IIIT5K data/SVT --failures wrong.png     and a sheet of what was misread
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from crnn_jt.weights import DEFAULT
from data_tools.checks import check_range

if TYPE_CHECKING:
    from crnn_jt.evaluation import Misreading

logger = logging.getLogger(__name__)


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("--weights", type=str, default=DEFAULT, help="a model's name or weights file")
    parser.add_argument("--data", type=str, nargs="+", required=True, help="data sets: LMDB, folders, MJSynth")
    parser.add_argument("--language", type=str, default="none", help="english, none or a file: corrects what is read")
    parser.add_argument("--failures", type=str, help="a PNG to write: the first misread pictures, label > reading")
    parser.add_argument(
        "--max-corrupt", type=float, default=1.0, help="stop where a larger share of samples is corrupt"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def run(args) -> None:
    """Prints the scores."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    from crnn_jt.evaluation import measure
    from crnn_jt.reading import load
    from data_tools.readers import open_readers

    check_range("--max-corrupt", args.max_corrupt, 0, 1)
    reader = load(args.weights)
    channel = reader.channel(args.language)
    scores, wrong = measure(reader, open_readers(args.data), max_corrupt=args.max_corrupt, channel=channel)
    _show(args, scores, wrong)
    if args.failures:
        save_failures(wrong, args.failures)


def _show(args, scores: dict, wrong: list[Misreading]) -> None:
    if args.json:
        print(json.dumps({"weights": args.weights, **scores}, indent=1))
        return
    for misreading in wrong[:20]:
        print(misreading)
    for name, value in scores.items():
        print(f"{name:>18}  {value:.2f}" if isinstance(value, float) else f"{name:>18}  {value}")


def save_failures(wrong: list[Misreading], path: str) -> None:
    """Writes the misread pictures, as the model saw them, as one PNG; none where nothing was misread."""
    from data_tools.files import atomic_file
    from data_tools.inspection import sheet_of

    pictures = [(one.picture, f"{one.truth} > {one.text}") for one in wrong if one.picture is not None]
    if not pictures:
        logger.info("%s", f"nothing was misread; {path} is not written")
        return
    with atomic_file(path) as file:
        sheet_of(pictures).save(file, format="PNG")
