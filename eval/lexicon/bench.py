"""Lexicon decoding measured: time and accuracy against lexicon size and edit distance, every search side by side.

Words are taken from a dictionary and, above its size, made up from its letters; images are simulated log-probabilities
(`simulate`), or those of a recogniser on rendered words, so that searches differ and nothing else does. Times are
processor time of this process, since other work on the machine stretches the clock but not that; medians over images.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from crnn_jt.decoding import ctc
from crnn_jt.decoding.lexicon import Lexicon, LexiconReading

CHARACTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
STEPS = 26  # of the CRNN paper's model at its own width, 100 pixels
SEARCHES = {
    "trie": ("trie", True),
    "trie-numpy": ("trie", False),
    "bk-tree": ("bk-tree", True),
    "pybktree": ("pybktree", True),
    "brute": ("brute", True),
}
"""Name in the table -> method of `Lexicon`, compiled or numpy."""


@dataclass(frozen=True)
class Images:
    """What the decoders are given: log_probs (T, N, K) over CHARACTERS, lengths (N,), and the words written there."""

    log_probs: np.ndarray
    lengths: np.ndarray
    truths: list[str]


def simulate(truths: Sequence[str], noise: float, seed: int) -> Images:
    """Log-probabilities such as a recogniser gives for words of STEPS/2 letters or fewer: peaks, blanks and noise."""
    rng = np.random.default_rng(seed)
    logits = noise * rng.normal(size=(STEPS, len(truths), len(CHARACTERS) + 1))
    logits[:, :, ctc.BLANK] += 6.0
    for image, word in enumerate(truths):
        places = np.linspace(0, STEPS - 1, len(word) + 2)[1:-1].round().astype(int)
        logits[places, image, ctc.BLANK] -= 6.0
        logits[places, image, [CHARACTERS.index(c) + 1 for c in word]] += 6.0
    log_probs = logits - np.log(np.exp(logits).sum(axis=2, keepdims=True))
    return Images(log_probs.astype(np.float32), np.full(len(truths), STEPS), list(truths))


def draw_lexicon(words: Sequence[str], truths: Sequence[str], size: int, seed: int) -> list[str]:
    """`size` distinct words: the truths first, then others of `words`, then made-up ones where these run out."""
    rng = np.random.default_rng(seed)
    chosen = dict.fromkeys([*truths, *(words[i] for i in rng.permutation(len(words)))][:size])
    while len(chosen) < size:
        model = words[rng.integers(len(words))]
        chosen.setdefault("".join(rng.permutation(list(model))) + CHARACTERS[10 + rng.integers(26)])
    return list(chosen)[:size]


def measure(words: Sequence[str], images: Images, size: int, deltas: Sequence[int | None], seed: int) -> Iterator[dict]:
    """Rows of one lexicon size: search, delta (None: exact), build_s, ms_a_word (median), accuracy, …"""
    lexicon_words = draw_lexicon(words, images.truths, size, seed)
    for name, (method, compiled) in SEARCHES.items():
        served = [delta for delta in deltas if delta is not None or method in ("trie", "brute")]
        if not served:
            continue
        lexicon, build = time_call(Lexicon, lexicon_words, CHARACTERS, compiled)
        _, first = time_call(_decode_one, lexicon, images, 0, served[-1], method)  # builds the index
        for delta in served:
            case = {"search": name, "size": size, "delta": delta, "build_s": round(build + first, 4)}
            yield case | _measure_case(lexicon, images, delta, method)


def _decode_one(lexicon: Lexicon, images: Images, image: int, delta: int | None, method: str) -> LexiconReading:
    part = slice(image, image + 1)
    return lexicon.decode(images.log_probs[:, part], images.lengths[part], delta, method)[0]


def _measure_case(lexicon: Lexicon, images: Images, delta: int | None, method: str) -> dict:
    count = len(images.truths)
    if delta is None and method == "brute":
        count = min(count, max(2, 200_000 // len(lexicon)))  # the slow one; its answers are known from the trie
    found, times = zip(*(time_call(_decode_one, lexicon, images, i, delta, method) for i in range(count)))
    hits = [reading.word == truth for reading, truth in zip(found, images.truths)]
    return {
        "ms_a_word": round(1e3 * float(np.median(times)), 4),
        "ms_slowest": round(1e3 * float(np.max(times)), 4),
        "accuracy": 100.0 * float(np.mean(hits)),
        "fallbacks": 100.0 * float(np.mean([not reading.within for reading in found])),
        "images": count,
    }


def time_call(work: Callable, *args) -> tuple:
    """What `work(*args)` gives and the processor seconds it took."""
    start = time.process_time()
    result = work(*args)
    return result, time.process_time() - start


def check_exactness(images: int, size: int, seed: int) -> dict:
    """Random logits x random words: whether the trie search, compiled and in numpy, equals scoring every word."""
    rng = np.random.default_rng(seed)
    letters = np.array(list(CHARACTERS))
    words: dict[str, None] = {}
    while len(words) < size:
        words["".join(rng.choice(letters, rng.integers(1, 11)))] = None
    different = {"trie": 0, "trie-numpy": 0}
    brute = Lexicon(list(words), CHARACTERS)
    tries = {
        name: Lexicon(list(words), CHARACTERS, compiled) for name, compiled in (("trie", True), ("trie-numpy", False))
    }
    for start in range(0, images, 50):
        logits = rng.normal(size=(STEPS, min(50, images - start), len(CHARACTERS) + 1)) * rng.choice([1.0, 3.0, 8.0])
        log_probs = logits - np.log(np.exp(logits).sum(axis=2, keepdims=True))
        truth = brute.decode(log_probs, method="brute")
        for name, lexicon in tries.items():
            found = lexicon.decode(log_probs)
            different[name] += sum(a.word != b.word for a, b in zip(found, truth))
    return {"images": images, "words": len(words), "different": different}


def check_candidates(words: Sequence[str], queries: Sequence[str]) -> dict:
    """Whether every search finds rapidfuzz's brute-force candidates, at edit distances 0 to 5: how many differ."""
    different = dict.fromkeys(SEARCHES, 0)
    for name, (method, compiled) in SEARCHES.items():
        lexicon = Lexicon(words, CHARACTERS, compiled)
        for delta in range(6):
            for query in queries:
                found, truth = lexicon.nearest(query, delta, method), lexicon.nearest(query, delta, "brute")
                different[name] += not all(np.array_equal(a, b) for a, b in zip(found, truth))
    return {"queries": len(queries), "words": len(words), "different": different}
