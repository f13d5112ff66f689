"""Makes a lexicon from a dictionary, a word list or the labels of a data set.

SRC is a Hunspell dictionary (X.dic, with the affixes of X.aff next to it), a word list with one word a line,
or a data set (LMDB, folder with gt.txt …). Words are lower-cased, reduced to 0-9a-z and made distinct, as the test
protocols want them.

  python -m data_tools lexicon /usr/share/hunspell/en_US.dic --out hunspell.txt
  python -m data_tools lexicon IC03 --out full.txt                     all labels of a set: the `full` lexicon
  python -m data_tools lexicon IIIT5K --per-image 50 --out lex.txt     50 words for each image, its label among them

The last kind has a line for each image: its name, a TAB, the words joined by commas; `python -m eval words` reads it
as lex.txt (lex1k.txt for 1000) in the set's folder. The same seed gives the same lists.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from data_tools.checks import check_whole
from data_tools.errors import UserError
from data_tools.files import write_text
from data_tools.lexicons import SEED, draw_lexicons, read_lexicon
from data_tools.readers import open_reader
from data_tools.sample import CorruptSample, Reader


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("source", metavar="SRC", type=str, help="a .dic, a word list or a data set")
    parser.add_argument("--out", type=str, default=None, help="the file to write (default: standard output)")
    parser.add_argument("--per-image", type=int, default=0, metavar="N", help="N words for each image of a data set")
    parser.add_argument("--seed", type=int, default=SEED, help="which words are drawn with --per-image")
    parser.add_argument("--json", action="store_true", help="print one JSON document in place of the lines")


def run(args) -> None:
    """Writes or prints the lexicon."""
    check_whole("--per-image", args.per_image, 0)
    check_whole("--seed", args.seed, 0)
    if args.per_image:
        lexicons = _per_image(open_reader(args.source), args.per_image, args.seed)
        lines, content = [f"{name}\t{','.join(words)}" for name, words in lexicons.items()], lexicons
    else:
        lines = content = read_lexicon(args.source)
    if args.out:
        write_text(args.out, "".join(f"{line}\n" for line in lines))
    if args.json:
        print(json.dumps({"n": len(lines), "out": args.out} if args.out else content, ensure_ascii=False))
    else:
        print(f"{args.out}: {len(lines)} lines" if args.out else "\n".join(lines))


def _per_image(reader: Reader, size: int, seed: int) -> dict[str, list[str]]:
    names, texts = [], []
    for index in range(len(reader)):
        try:
            sample = reader[index]
        except CorruptSample:
            continue
        names.append(Path(sample.key.replace("\\", "/")).name)
        texts.append(sample.text)
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice:
        raise UserError(f"two images are called {twice}, by which the lexicon would name both; name one set or folder")
    return dict(zip(names, draw_lexicons(texts, size, seed)))
