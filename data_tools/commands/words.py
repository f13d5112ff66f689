"""Renders images of words, or of lines of text, into an LMDB that any trainer of the shared layout reads.

Each sample depends on the seed and its number alone: the same command gives the same bytes with any number of workers.
The label is the text as drawn, case and punctuation kept.

  python -m data_tools fonts --fetch fonts
  python -m data_tools words --n 100000 --out words.lmdb --seed 1 --workers 4 --fonts fonts
  python -m data_tools words --n 20000 --out french.lmdb --words fr.dic --characters ""
  python -m data_tools words --kind lines --n 50000 --out lines.lmdb --fonts fonts

--words takes UTF-8 text with one word a line, or a Hunspell .dic with its .aff next to it. --recipe takes a YAML file
with the fields of data_tools.words.Recipe, for lines of data_tools.lines.Recipe: shares of what is written, chances of
every effect (docs/rendering.md).
"""

from __future__ import annotations

import json
import logging

from data_tools.checks import check_at_least, check_one_of


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("--kind", type=str, default="words", help="words or lines")
    parser.add_argument("--n", type=int, required=True, help="how many words")
    parser.add_argument("--out", metavar="X.lmdb", type=str, required=True, help="the LMDB to write; must not exist")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other words")
    parser.add_argument("--workers", type=int, default=0, help="processes that render (0: this one)")
    parser.add_argument("--fonts", metavar="DIR", type=str, action="append", help="a folder of fonts; may be repeated")
    parser.add_argument("--words", metavar="FILE", type=str, help="a word list or a Hunspell dictionary")
    parser.add_argument("--backgrounds", metavar="DIR", type=str, help="photographs without text to write on")
    parser.add_argument("--characters", type=str, help="characters to write with; empty: all that the fonts have")
    parser.add_argument("--words-per-line", "--words_per_line", type=int, help="at most this many words in one picture")
    parser.add_argument("--recipe", metavar="FILE", type=str, help="YAML with the recipe's other values")
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    parser.add_argument("--json", action="store_true", help="print one JSON document with the counts")


def run(args) -> None:
    """Writes the LMDB and says how many pictures it has."""
    from data_tools import lines, words
    from data_tools.lmdb_writer import write_lmdb

    logging.basicConfig(format="%(message)s")
    check_at_least("--workers", args.workers, 0)
    check_one_of("--kind", args.kind, ("words", "lines"))
    make, recipe = {"words": (words.RenderedWords, words.Recipe), "lines": (lines.RenderedLines, lines.Recipe)}[
        args.kind
    ]
    reader = make(args.seed, args.n, recipe_of(args, recipe))
    reader.renderer()  # a folder or list of no use is named before the LMDB is begun
    source = f"{args.kind} seed {args.seed} {reader.recipe}"
    written = write_lmdb(reader, args.out, workers=args.workers, resume=args.resume, source=source)
    if args.json:
        print(json.dumps({"path": args.out, "n": written.count, "skipped": written.skipped}))
    else:
        print(f"{args.out}: {written.count} {args.kind}")


def recipe_of(args, kind: type):
    """The recipe of the options, over that of the file. Raises UserError for unknown or unfit values."""
    values = kind.from_file(args.recipe) if args.recipe else kind()
    changes = {
        "fonts": tuple(args.fonts) if args.fonts else None,
        "words": args.words,
        "backgrounds": args.backgrounds,
        "characters": args.characters,
        "words_per_line": args.words_per_line,
    }
    return values.with_(**{name: value for name, value in changes.items() if value is not None})
