"""Renders word images into an LMDB that any trainer of the shared layout reads.

Each sample depends on the seed and its number alone: the same command gives the same bytes with any number of workers.
The label is the text as drawn, case and punctuation kept.

  python -m data_tools fonts --fetch fonts
  python -m data_tools words --n 100000 --out words.lmdb --seed 1 --workers 4 --fonts fonts
  python -m data_tools words --n 20000 --out french.lmdb --words fr.dic --characters ""

--words takes UTF-8 text with one word a line, or a Hunspell .dic with its .aff beside it. --recipe takes a YAML file
with the fields of data_tools.words.Recipe: shares of digits and case, chances of every effect (docs/rendering.md).
"""

from __future__ import annotations

import json
import logging

from data_tools.errors import UserError


def add_arguments(parser) -> None:
    """Adds the command's arguments to a jsonargparse parser."""
    parser.add_argument("--n", type=int, required=True, help="how many words")
    parser.add_argument("--out", metavar="X.lmdb", type=str, required=True, help="the LMDB to write; must not exist")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other words")
    parser.add_argument("--workers", type=int, default=0, help="processes that render (0: this one)")
    parser.add_argument("--fonts", metavar="DIR", type=str, action="append", help="a folder of fonts; may be repeated")
    parser.add_argument("--words", metavar="FILE", type=str, help="a word list or a Hunspell dictionary")
    parser.add_argument("--backgrounds", metavar="DIR", type=str, help="photographs without text to write on")
    parser.add_argument("--characters", type=str, help="characters to write with; empty: all that the fonts have")
    parser.add_argument("--words_per_line", type=int, help="up to so many words in one picture")
    parser.add_argument("--recipe", metavar="FILE", type=str, help="YAML with the recipe's other values")
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    parser.add_argument("--json", action="store_true", help="print one JSON document with the counts")


def run(args) -> None:
    """Writes the LMDB and says how many words it has."""
    from data_tools.lmdb_writer import write_lmdb
    from data_tools.words import RenderedWords

    logging.basicConfig(format="%(message)s")
    if args.workers < 0:
        raise UserError(f"--workers {args.workers}: it takes 0 or more")
    reader = RenderedWords(args.seed, args.n, recipe_of(args))
    reader.studio()  # a folder or list of no use is named before the LMDB is begun
    source = f"words seed {args.seed} {reader.recipe}"
    written = write_lmdb(reader, args.out, workers=args.workers, resume=args.resume, source=source)
    if args.json:
        print(json.dumps({"path": args.out, "n": written.count, "skipped": written.skipped}))
    else:
        print(f"{args.out}: {written.count} words")


def recipe_of(args):
    """The recipe of the options, over that of the file. Raises UserError for unknown or unfit values."""
    from data_tools.words import Recipe

    values = Recipe.from_file(args.recipe) if args.recipe else Recipe()
    changes = {
        "fonts": tuple(args.fonts) if args.fonts else None,
        "words": args.words,
        "backgrounds": args.backgrounds,
        "characters": args.characters,
        "words_per_line": args.words_per_line,
    }
    return values.with_(**{name: value for name, value in changes.items() if value is not None})
