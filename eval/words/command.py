"""Word accuracy by the published protocols, with the figures of the CRNN paper and the Jittor report.

ROOT holds test sets: the report's layout (SET/gt.txt, SET/image/, SVT/lex.txt, Hunspell_en.txt next to the sets) or
LMDBs (CUTE80/data.mdb …), nested as they come; or it is one such set.

  python -m eval words --root test_data --weights crnn-light                 the table
  python -m eval words --root test_data --weights best.safetensors --html report.html --json > figures.json
  python -m eval words --root evaluation --weights crnn-light --protocol parseq
  python -m eval words --root test_data --weights crnn-light --sets SVT,IC03 --lexicons none,50,50k

Columns (--lexicons): none; 50 and 1k, each image's own lexicon (official where the set has lex.txt or lex1k.txt, else
drawn from its labels with a fixed seed); full, all labels of the set; 50k, the dictionary within edit distance 3 of the
lexicon-free reading, which stands where no word is that near; 50k-exact, the dictionary without that limit. Protocols:
paper (default), report-2021, parseq, mindocr (the ten sets of MindOCR and ABINet, averaged); the table says what each
does. What a set cannot serve is left out and named.
"""

from __future__ import annotations

import json
import sys
from itertools import chain
from pathlib import Path

from data_tools.errors import UserError
from data_tools.files import write_text
from data_tools.lexicons import SEED, normalise_words
from data_tools.words.wordlist import load_words
from eval.options import parse_names
from eval.words import protocols, report
from eval.words.sets import DICTIONARY, TestSet, find_sets


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("--root", type=str, required=True, help="folder of test sets")
    parser.add_argument("--weights", type=str, required=True, help="a bundled model's name or a weights file")
    parser.add_argument("--sets", type=str, default=None, help="only these, separated by commas")
    parser.add_argument("--lexicons", type=str, default=None, help=f"columns (default: {','.join(protocols.COLUMNS)})")
    parser.add_argument("--protocol", type=str, default="paper", help=" or ".join(protocols.PROTOCOLS))
    parser.add_argument("--dictionary", type=str, default=None, help=f"word list for 50k (default: ROOT/{DICTIONARY})")
    parser.add_argument("--beam", type=int, default=0, help="prefixes of a beam search for `none`; 0: the best path")
    parser.add_argument("--character-model", type=float, default=0.0, help="its weight in the beam search; 0: none")
    parser.add_argument("--language", type=str, default="none", help="english or a file: corrects the readings")
    parser.add_argument("--seed", type=int, default=SEED, help="for drawn lexicons; keep it to compare figures")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--html", type=str, default=None, help="write a self-contained page")
    parser.add_argument("--worst", type=int, default=500, help="wrong readings on the page at most")


def run(args) -> int:
    """Evaluates, prints and writes the reports."""
    from eval.words import subject
    from eval.words.bench import Evaluation

    protocol = protocols.get_protocol(args.protocol)
    columns, problems = protocols.choose_columns(protocol, args.lexicons)
    sets, unusable = find_sets(args.root, parse_names(args.sets) or None)
    reader = subject.load(args.weights, _make_beam(args), args.language)
    evaluation = Evaluation(reader, protocol, columns, _find_dictionary(args), args.seed)
    evaluation.problems += problems + unusable
    results = _evaluate(evaluation, sets)
    if not results:
        raise UserError(f"--root {args.root}: {'; '.join(evaluation.problems)}")
    if args.html:
        from eval.words.page import make_page

        kept = [test_set for test_set in sets if test_set.name in {result.name for result in results}]
        write_text(args.html, make_page(results, kept, protocol, args.weights, evaluation.problems, args.worst))
    if args.json:
        figures = {result.name: result.as_json() for result in results}
        document = {"weights": args.weights, "protocol": protocol.name, "seed": args.seed, "sets": figures}
        if protocol.by_folder:
            document["average"] = report.average(results)
        print(json.dumps(document | {"problems": evaluation.problems}, indent=1))
    else:
        print(report.format_report(results, protocol, args.weights, evaluation.problems))
    return 0


def _make_beam(args):
    """The beam search asked for; its character model learns the word list that ships, not the test's dictionary."""
    from eval.words.subject import Beam

    if args.beam and args.language != "none":
        raise UserError("--language: has a beam of its own; leave --beam out")
    if args.beam < 0 or args.character_model < 0 or (args.character_model and not args.beam):
        raise UserError("--beam, --character-model: they take 0 or more, and the second needs the first")
    if not args.beam:
        return None
    words = normalise_words(chain.from_iterable(load_words(None, ""))) if args.character_model else []
    return Beam(args.beam, args.character_model, words)


def _find_dictionary(args) -> Path | None:
    if args.dictionary:
        return Path(args.dictionary)
    path = Path(args.root) / DICTIONARY
    return path if path.exists() else None


def _evaluate(evaluation, sets: list[TestSet]) -> list:
    """The results of all sets that can be read; the others become problems."""
    from tqdm import tqdm

    results = []
    for test_set in tqdm(sets, desc="sets", file=sys.stderr, disable=None):
        try:
            results.append(evaluation.run(test_set))
        except UserError as error:
            evaluation.problems.append(f"{test_set.name}: {error}")
    return results
