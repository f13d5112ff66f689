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
from pathlib import Path

import numpy as np

from data_tools.errors import UserError
from data_tools.lexicons import normalised, read_lexicon
from data_tools.words.wordlist import load_words
from eval import lexicon_bench as bench
from eval.options import at_least, numbers

FORMATS = (".png", ".svg")


def add_arguments(parser) -> None:
    """Adds the command's arguments to a jsonargparse parser."""
    parser.add_argument("--words", type=str, default=None, help="a word list or dictionary (default: the bundled list)")
    parser.add_argument("--sizes", type=str, default="10,100,1000,10000,50000,200000", help="words, by commas")
    parser.add_argument("--deltas", type=str, default="exact,0,1,2,3,4,5", help="edit distances, or exact")
    parser.add_argument("--images", type=int, default=40, help="images to read in each case")
    parser.add_argument("--noise", type=float, default=1.5, help="of the simulated recogniser; 2 is a bad one")
    parser.add_argument("--seed", type=int, default=0, help="of words and noise")
    parser.add_argument("--check", action="store_true", help="500 random images x 5,000 words, and all candidates")
    parser.add_argument("--plot", type=str, default=None, help="a PNG or SVG of the times")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args) -> int:
    """Measures, prints and plots; 1 where a check fails."""
    deltas = [None if d.strip() == "exact" else numbers("--deltas", d, 0)[0] for d in args.deltas.split(",")]
    sizes = numbers("--sizes", args.sizes)
    if args.plot and Path(args.plot).suffix not in FORMATS:
        raise UserError(f"--plot {args.plot}: the name must end in {' or '.join(FORMATS)}")
    words, images = _material(args)
    rows = []
    for size in sizes:
        for row in bench.measure(words, images, size, deltas, args.seed):
            rows.append(row)
            print(_line(row), file=sys.stderr if args.json else sys.stdout, flush=True)
    machine = {"load": os.getloadavg()[0], "processors": os.cpu_count(), "peak_memory_mb": round(bench.peak_memory())}
    checks = _checks(words, images, args.seed) if args.check else {}
    if args.plot:
        _plot(rows, args.plot)
    if args.json:
        print(json.dumps({"machine": machine, "rows": rows, "checks": checks}, indent=1))
    else:
        print(f"machine: {machine}", *(f"{name}: {found}" for name, found in checks.items()), sep="\n")
    return int(any(any(check["different"].values()) for check in checks.values()))


def _material(args) -> tuple[list[str], bench.Images]:
    at_least(0, noise=args.noise, seed=args.seed)
    known = read_lexicon(args.words) if args.words else normalised(chain.from_iterable(load_words(None, "")))
    words = [word for word in known if len(word) <= bench.STEPS // 2]
    if args.images < 1 or len(words) < args.images:
        raise UserError(f"--images {args.images}: it takes 1 to {len(words)}, the words of --words that fit")
    rng = np.random.default_rng(args.seed)
    truths = [words[i] for i in rng.choice(len(words), args.images, replace=False)]
    return words, bench.simulate(truths, args.noise, args.seed)


def _line(row: dict) -> str:
    delta = "exact" if row["delta"] is None else f"delta {row['delta']}"
    return (
        f"{row['size']:>7} words  {delta:<7}  {row['search']:<10}  {row['ms_a_word']:>9.3f} ms/word"
        f"  slowest {row['ms_slowest']:>9.3f}  accuracy {row['accuracy']:5.1f}  fallbacks {row['fallbacks']:5.1f}"
        f"  build {row['build_s']:.3f} s  ({row['images']} images)"
    )


def _checks(words: list[str], images: bench.Images, seed: int) -> dict:
    greedy = bench.ctc.greedy(images.log_probs, images.lengths)
    queries = ["".join(bench.CHARACTERS[k - 1] for k in reading.indices) for reading in greedy]
    return {"exact": bench.exactness(500, 5000, seed), "candidates": bench.candidates(words[:5000], queries)}


def _plot(rows: list[dict], path: str) -> None:
    """Time a word against lexicon size, a panel for the exact search and one for delta 3 (or the largest asked)."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from data_tools.files import atomic_file

    known = sorted({row["delta"] for row in rows if row["delta"] is not None})
    shown = [d for d in (None, 3 if 3 in known else (known or [None])[-1]) if any(row["delta"] == d for row in rows)]
    figure, panels = pyplot.subplots(1, len(shown), figsize=(6 * len(shown), 4.5), squeeze=False)
    for panel, delta in zip(panels[0], shown):
        for search in bench.SEARCHES:
            points = [
                (row["size"], row["ms_a_word"]) for row in rows if (row["search"], row["delta"]) == (search, delta)
            ]
            if points:
                panel.loglog(*zip(*points), marker="o", label=search)
        panel.set(
            title="exact" if delta is None else f"delta {delta}", xlabel="words", ylabel="ms a word (processor time)"
        )
        panel.grid(True, alpha=0.3)
        panel.legend()
    with atomic_file(path) as file:
        figure.savefig(file, format=Path(path).suffix.lstrip("."), bbox_inches="tight")
    pyplot.close(figure)
