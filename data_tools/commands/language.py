"""Makes a language for reading from word lists: what `--language` of the recogniser's commands takes.

LIST is a word list (one a line, or a word and its count), a Hunspell dictionary (X.dic with X.aff next to it), running
text, or `english` or `signs`, the lists that ship. LIST:SHARE weighs it against the others.

  python -m data_tools language french.txt --out french.lang
  python -m data_tools language fr.dic:0.8 streets.txt:0.2 --out paris.lang
  python -m data_tools language english:0.62 signs:0.38 --name english --out english.lang     the one that ships
"""

from __future__ import annotations

import json
from pathlib import Path


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("lists", metavar="LIST", type=str, nargs="+", help="lists, each with :SHARE where they differ")
    parser.add_argument("--out", type=str, required=True, help="the file to write")
    parser.add_argument("--name", type=str, default="", help="how it is called (default: the file's name)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args) -> None:
    """Writes the file and says what it holds."""
    from data_tools.words.language import build_language, write_language

    language = build_language(args.name or Path(args.out).stem, args.lists)
    size = write_language(args.out, language)
    if args.json:
        print(json.dumps({"path": args.out, "name": language.name, "words": len(language.words), "bytes": size}))
    else:
        print(f"{args.out}: {len(language.words)} words, {size} bytes")
