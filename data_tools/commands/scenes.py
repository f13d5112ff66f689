"""Renders photographs and documents with text: pictures, and the quadrilateral and text of every word.

Each picture depends on the seed and its number alone: the same command gives the same bytes with any number of
workers. DIR/image holds the pictures, DIR/gt a text file for each: `x1,y1,x2,y2,x3,y3,x4,y4,text` from the top left as
read, words in reading order; `###` is text that cannot be read. An interrupted run goes on where it was.

  python -m data_tools scenes --n 1000 --out scenes --seed 1 --workers 2
  python -m data_tools scenes --n 500 --out pages --documents 1
  python -m data_tools scenes --n 1000 --out scenes --backgrounds photographs --fonts fonts
"""

from __future__ import annotations

import json
import logging

from data_tools.checks import check_at_least


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("--n", type=int, required=True, help="how many photographs")
    parser.add_argument("--out", metavar="DIR", type=str, required=True, help="the folder to write, or to go on with")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other photographs")
    parser.add_argument("--documents", metavar="SHARE", type=float, default=0.0, help="share of documents, 0-1")
    parser.add_argument("--backgrounds", metavar="DIR", type=str, help="photographs without text to write on")
    parser.add_argument("--fonts", metavar="DIR", type=str, action="append", help="a folder of fonts; may be repeated")
    parser.add_argument("--words", metavar="FILE", type=str, help="a word list or a Hunspell dictionary")
    parser.add_argument("--size", metavar="PIXELS", type=int, default=640, help="height and width of the pictures")
    parser.add_argument("--workers", type=int, default=0, help="processes that render (0: this one)")
    parser.add_argument("--json", action="store_true", help="print one JSON document with the counts")


def run(args) -> None:
    """Writes the folder and says how many photographs it has."""
    from data_tools.photos import Recipe, RenderedScenes
    from data_tools.photos.folder import write_photos

    logging.basicConfig(format="%(message)s")
    check_at_least("--workers", args.workers, 0)
    recipe = Recipe(
        tuple(args.fonts or ()),
        words=args.words,
        backgrounds=args.backgrounds,
        height=args.size,
        width=args.size,
        documents=args.documents,
    )
    reader = RenderedScenes(args.seed, args.n, recipe)
    reader.renderer()  # a folder or list of no use is named before anything is written
    count = write_photos(reader, args.out, args.workers)
    print(json.dumps({"path": args.out, "n": count}) if args.json else f"{args.out}: {count} photographs")
