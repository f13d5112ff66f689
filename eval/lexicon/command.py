"""Lexicon decoding: accuracy and time a word against lexicon size and edit distance, every search side by side.

  python -m eval lexicon                                   sizes 10 to 200k, no limit and edit distances 0 to 5
  python -m eval lexicon --sizes 50000 --deltas 3,exact    the case of the benches
  python -m eval lexicon --check                           also: are all searches' answers those of brute force?
  python -m eval lexicon --plot lexicon.png --json

Searches: trie (compiled where a compiler is there), trie-numpy, bk-tree (arrays), pybktree, brute (rapidfuzz distances
to all words, or every word scored). One image at a time, scoring included, on simulated log-probabilities of dictionary
words; times are processor time. The first word of each search, which builds its index, is counted as build_s.
"""

from __future__ import annotations

import json
import os
import sys
from itertools import chain

import numpy as np

from data_tools.errors import UserError
from data_tools.lexicons import normalise_words, read_lexicon
from data_tools.words.wordlist import load_words
from eval.lexicon import bench, report
from eval.machine import read_peak_memory
from eval.options import parse_numbers, require_at_least
from eval.plots import require_plot_name


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("--words", type=str, default=None, help="a word list or dictionary (default: the bundled list)")
    parser.add_argument("--sizes", type=str, default="10,100,1000,10000,50000,200000", help="words, by commas")
    parser.add_argument("--deltas", type=str, default="exact,0,1,2,3,4,5", help="edit distances, or exact")
    parser.add_argument("--images", type=int, default=40, help="images to read in each case")
    parser.add_argument("--noise", type=float, default=1.5, help="of the simulated recogniser; 2 is a bad one")
    parser.add_argument("--seed", type=int, default=0, help="of words and noise")
    parser.add_argument("--check", action="store_true", help="500 random images x 5,000 words, and all candidates")
    parser.add_argument("--plot", type=str, default=None, help="a PNG, SVG or PDF of the times")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args) -> int:
    """Measures, prints and plots; 1 where a check fails."""
    deltas = [None if d.strip() == "exact" else parse_numbers("--deltas", d, 0)[0] for d in args.deltas.split(",")]
    sizes = parse_numbers("--sizes", args.sizes)
    require_plot_name(args.plot)
    words, images = _make_material(args)
    rows = []
    for size in sizes:
        for row in bench.measure(words, images, size, deltas, args.seed):
            rows.append(row)
            print(report.format_row(row), file=sys.stderr if args.json else sys.stdout, flush=True)
    machine = {"load": os.getloadavg()[0], "processors": os.cpu_count(), "peak_memory_mb": read_peak_memory()}
    checks = _check(words, images, args.seed) if args.check else {}
    if args.plot:
        report.plot(rows, args.plot)
    if args.json:
        print(json.dumps({"machine": machine, "rows": rows, "checks": checks}, indent=1))
    else:
        print(f"machine: {machine}", *(f"{name}: {check}" for name, check in checks.items()), sep="\n")
    return int(any(any(check["different"].values()) for check in checks.values()))


def _make_material(args) -> tuple[list[str], bench.Images]:
    """The words that fit into the simulated images, and `--images` of these simulated."""
    require_at_least(0, noise=args.noise, seed=args.seed)
    known = read_lexicon(args.words) if args.words else normalise_words(chain.from_iterable(load_words(None, "")))
    words = [word for word in known if len(word) <= bench.STEPS // 2]
    if args.images < 1 or len(words) < args.images:
        raise UserError(f"--images {args.images}: it takes 1 to {len(words)}, the words of --words that fit")
    rng = np.random.default_rng(args.seed)
    truths = [words[i] for i in rng.choice(len(words), args.images, replace=False)]
    return words, bench.simulate(truths, args.noise, args.seed)


def _check(words: list[str], images: bench.Images, seed: int) -> dict:
    greedy = bench.ctc.greedy(images.log_probs, images.lengths)
    queries = ["".join(bench.CHARACTERS[k - 1] for k in reading.indices) for reading in greedy]
    return {
        "exact": bench.check_exactness(500, 5000, seed),
        "candidates": bench.check_candidates(words[:5000], queries),
    }
