"""Reads words with vision alone and after each iteration of a model's corrector, and compares.

ROOT holds labelled words, as for `eval words`, whose counting this is. --plot draws words that language changed, from
all over the sets, before and after each iteration; none is chosen for what it shows.

  python -m eval iterations --root data/dev --weights runs/joint/best.safetensors
  python -m eval iterations --root data/dev --weights runs/joint/best.safetensors --plot words.png --markdown words.md
"""

from __future__ import annotations

from data_tools.files import write_text
from eval.iterations import report
from eval.options import parse_names, require_at_least
from eval.plots import FORMATS, require_plot_name
from eval.words import protocols
from eval.words.sets import find_sets


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("--root", type=str, required=True, help="folder of labelled words")
    parser.add_argument("--weights", type=str, required=True, help="a model with a corrector: a name or a weights file")
    parser.add_argument("--sets", type=str, default=None, help="only these, separated by commas")
    parser.add_argument("--protocol", type=str, default="paper", help=" or ".join(protocols.PROTOCOLS))
    parser.add_argument("--words", type=int, default=10, help="how many words are drawn")
    parser.add_argument("--plot", type=str, default=None, help=f"draw them into this file ({', '.join(FORMATS)})")
    parser.add_argument("--markdown", type=str, default=None, help="write table and words to this file")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args) -> None:
    """Measures, prints, and writes what was asked for."""
    require_plot_name(args.plot)
    require_at_least(1, words=args.words)
    from eval.iterations.bench import choose_words, measure

    sets, problems = find_sets(args.root, parse_names(args.sets) or None)
    results = measure(args.weights, args.protocol, sets, problems)
    words = choose_words(results, args.words)
    if args.plot and words:
        report.plot(words, sets, args.plot)
    elif args.plot:
        problems.append(f"--plot {args.plot}: not written, language changed no word")
    if args.markdown:
        write_text(args.markdown, report.format_document(results, words))
    print(report.format_json(results, problems) if args.json else "\n".join([report.format_table(results), *problems]))
