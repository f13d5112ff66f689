"""Makes a lexicon from a dictionary, a word list or the labels of a data set.

SRC is a Hunspell dictionary (X.dic; the affixes of X.aff beside it are expanded), a word list with one word a line,
or a data set (LMDB, folder with gt.txt …). Words are lower-cased, reduced to 0-9a-z and made distinct, as the test
protocols want them.

  python -m data_tools lexicon /usr/share/hunspell/en_US.dic --out hunspell.txt
  python -m data_tools lexicon IC03 --out full.txt                     all labels of a set: the `full` lexicon
  python -m data_tools lexicon IIIT5K --per-image 50 --out lex.txt     50 words for each image, its label among them

The last kind has a line for each image: its name, a space, the words joined by commas; `python -m eval words` reads it
as lex.txt (lex1k.txt for 1000) in the set's folder. The same seed gives the same lists.
"""

from __future__ import annotations

import json

from data_tools.files import write_text
from data_tools.lexicons import SEED, drawn, read_lexicon
from data_tools.readers import open_reader
from data_tools.sample import CorruptSample, Reader


def add_arguments(parser) -> None:
    """Adds the command's arguments to a jsonargparse parser."""
    parser.add_argument("source", metavar="SRC", type=str, help="a .dic, a word list or a data set")
    parser.add_argument("--out", type=str, default=None, help="the file to write (default: standard output)")
    parser.add_argument("--per-image", type=int, default=0, metavar="N", help="N words for each image of a data set")
    parser.add_argument("--seed", type=int, default=SEED, help="which words are drawn with --per-image")
    parser.add_argument("--json", action="store_true", help="print one JSON document in place of the lines")


def run(args) -> None:
    """Writes or prints the lexicon."""
    if args.per_image:
        lexicons = _per_image(open_reader(args.source), args.per_image, args.seed)
        lines, content = [f"{name} {','.join(words)}" for name, words in lexicons.items()], lexicons
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
        names.append(sample.key.rsplit("/", 1)[-1])
        texts.append(sample.text)
    return dict(zip(names, drawn(texts, size, seed)))
