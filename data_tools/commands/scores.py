"""Engraves one-staff scores with their encodings: PrIMuS's kind of corpus.

Incipits are composed from a seed, or read from Plaine & Easie files of yours (--pae), engraved by verovio and drawn.
Where DST ends in .lmdb an LMDB is written (image-%09d, label-%09d = semantic, agnostic-%09d); else PrIMuS's own
folders: ID/ID.png, ID.semantic, ID.agnostic, ID.mei and, with --camera, ID_distorted.jpg.

  python -m data_tools scores --n 1000 --out Corpus --seed 1 --camera
  python -m data_tools scores --n 20000 --out train.lmdb --look varied --frame staff --staff-space 7 --workers 2
  python -m data_tools scores --pae incipits.pae --out Mine

The same seed gives the same bytes with any number of workers. Every symbol is in PrIMuS's vocabularies (1,781 semantic,
758 agnostic) unless --any-symbol allows more. Music that the encodings cannot say is named in the log and left out.
--look varied draws fonts, lines, spacing and ink anew each time; --frame staff puts the staff in the same place of
pictures of one height. An interrupted run leaves a corpus that opens; --resume goes on with it.
"""

from __future__ import annotations

import json
import logging

from data_tools.errors import UserError
from data_tools.lmdb_writer import write_lmdb
from data_tools.scores import FRAMES, LOOKS, PaeScores, Recipe, RenderedScores
from data_tools.scores.corpus import two_shades, write_corpus
from data_tools.scores.engraving import STAFF_SPACE


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("--n", type=int, default=0, help="how many incipits to compose")
    parser.add_argument("--out", type=str, required=True, metavar="DST", help="a new folder, or X.lmdb")
    parser.add_argument("--seed", type=int, default=0, help="what is composed depends on it")
    parser.add_argument("--pae", type=str, nargs="+", default=[], metavar="FILE", help="Plaine & Easie files instead")
    parser.add_argument(
        "--camera", action="store_true", help="add (LMDB: write instead) the camera's distorted pictures"
    )
    parser.add_argument("--look", type=str, default="primus", help=f"one of {', '.join(LOOKS)}")
    parser.add_argument("--frame", type=str, default="ink", help=f"one of {', '.join(FRAMES)}")
    parser.add_argument("--staff-space", type=float, default=STAFF_SPACE, help="pixels between staff lines")
    parser.add_argument("--any-symbol", action="store_true", help="keep symbols beyond PrIMuS's vocabularies (--pae)")
    parser.add_argument("--workers", type=int, default=0, help="processes that draw (0: this one)")
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args) -> None:
    """Writes the corpus and says how many scores it has."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    reader = _reader(args)
    if args.out.endswith(".lmdb"):
        options = {"workers": args.workers, "resume": args.resume, "encode": two_shades, "source": _source(args)}
        written = write_lmdb(reader, args.out, **options)
    else:
        written = write_corpus(reader, args.out, camera=args.camera, workers=args.workers, resume=args.resume)
    figures = {"out": args.out, "n": written.count, "skipped": dict(written.skipped)}
    left_out = f", {sum(written.skipped.values())} left out" if written.skipped else ""
    print(json.dumps(figures, ensure_ascii=False) if args.json else f"{args.out}: {written.count} scores{left_out}")


def _reader(args) -> RenderedScores | PaeScores:
    share = float(args.camera and args.out.endswith(".lmdb"))
    recipe = Recipe(args.look, args.frame, args.staff_space, share, any_symbol=args.any_symbol)
    if bool(args.pae) == (args.n > 0):
        raise UserError("name either --n (how many incipits to compose, 1 or more) or --pae (files to read)")
    return PaeScores(args.pae, recipe, args.seed) if args.pae else RenderedScores(args.seed, args.n, recipe)


def _source(args) -> str:
    return json.dumps([args.seed, args.pae, args.look, args.frame, args.staff_space, args.camera, args.any_symbol])
