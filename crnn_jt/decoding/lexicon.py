"""Reading with a lexicon: argmax over its words of p(l | y) (CRNN paper, section 2.3.3), fast and exact.

With `delta` only the words within that edit distance of the lexicon-free reading are scored, all candidates of a batch
at once. Without it every word counts: a depth-first search over the trie, in which the probability that a labelling
begins with a prefix bounds all words below it, gives what scoring the whole lexicon gives (`method="brute"` does).
Recognisers without per-step probabilities (decoders) are served by `choose`, to which they bring their own scores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from crnn_jt.decoding import ctc, native
from crnn_jt.decoding.nearest import BKTree, BruteForce, PyBKTree, TrieSearch
from crnn_jt.decoding.trie import Trie

METHODS = ("trie", "bk-tree", "pybktree", "brute")
_CHUNK = 4_000_000  # numbers in a working array of a forward pass (pairs x states) or a level (nodes x steps): 32 MB


@dataclass(frozen=True)
class LexiconReading:
    """One image under a lexicon: the chosen word and log p(word | image); `within` is False where no word qualified and
    nothing was chosen.
    """

    word: str | None
    log_probability: float
    within: bool


class Weights:
    """Factors of a lexicon's words (M,); and below each node of its trie the largest, and the largest without the
    `growth` in them for each symbol, float32 and rounded up.
    """

    def __init__(self, trie: Trie, words: np.ndarray, growth: float = 1.0):
        self.words, self.growth = np.append(words, 0.0), growth  # the last one is for nodes where no word ends, -1
        own = self.words[trie.word]
        depths = np.repeat(np.arange(len(trie.levels) - 1), np.diff(trie.levels))
        self.heaviest, self.bare = (_spread(trie, factors) for factors in (own, own / growth**depths))


def _spread(trie: Trie, factors: np.ndarray) -> np.ndarray:
    """The largest of the factors (nodes,) at and below each node, float32 and rounded up."""
    largest = np.nextafter(factors.astype(np.float32), np.float32(np.inf))
    for depth in range(len(trie.levels) - 2, 0, -1):
        level = slice(trie.levels[depth], trie.levels[depth + 1])
        np.maximum.at(largest, trie.parent[level], largest[level])
    return largest


NOTHING = LexiconReading(None, -np.inf, False)
Score = Callable[[np.ndarray, list[str]], np.ndarray]
"""score(rows (M,), words [M]) -> (M,): log p(words[m] | image rows[m])."""


class Lexicon:
    """Distinct words over a character set, ready to be searched.

    `characters[i]` is the symbol with index i+1 (0 is the blank). Words are taken as they are: normalise them first.
    `words` are the distinct ones that the character set can write, in their order; `outside` the others;
    `repeated` counts what was dropped as a duplicate. An empty lexicon is allowed: every reading then falls back.
    """

    def __init__(self, words: Sequence[str], characters: Sequence[str], compiled: bool = True):
        self.codes = {character: i + 1 for i, character in enumerate(characters)}
        distinct = list(dict.fromkeys(words))
        allowed = set(self.codes)
        self.words = [word for word in distinct if word and allowed.issuperset(word)]
        self.outside = [word for word in distinct if not word or not allowed.issuperset(word)]
        self.repeated = len(words) - len(distinct)
        self.library = native.library() if compiled else None
        self.sizes = np.array([len(word) for word in self.words], dtype=np.int32)
        self.starts = np.concatenate([[0], np.cumsum(self.sizes, dtype=np.int64)])
        table = {ord(character): chr(i) for character, i in self.codes.items()}
        joined = "".join(self.words).translate(table).encode("utf-32-le", "surrogatepass")
        self.flat = np.frombuffer(joined, dtype=np.int32)

    @cached_property
    def number(self) -> dict[str, int]:
        """The number of each word; a large list of them takes as much memory as the words, and few ask for it."""
        return {word: i for i, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def trie(self) -> Trie:
        """The words as a prefix trie."""
        return Trie(self.flat, self.starts)

    @cached_property
    def _searches(self) -> dict:
        return {}

    def nearest(self, text: str, delta: int, method: str = "trie") -> tuple[np.ndarray, np.ndarray]:
        """Ascending numbers and distances of the words within `delta` edits of `text`, (M,) each, by one of METHODS."""
        if method not in self._searches:
            makers = {
                "trie": lambda: TrieSearch(self.trie, self.words, self.codes, self.library is not None),
                "bk-tree": lambda: BKTree(self.words),
                "pybktree": lambda: PyBKTree(self.words),
                "brute": lambda: BruteForce(self.words),
            }
            if method not in makers:
                raise ValueError(f"{method}: no such search; there are: {', '.join(METHODS)}")
            self._searches[method] = makers[method]()
        return self._searches[method].nearest(text, delta)

    def decode(
        self,
        log_probs: np.ndarray,
        lengths: Sequence[int] | None = None,
        delta: int | None = None,
        method: str = "trie",
        texts: Sequence[str] | None = None,
    ) -> list[LexiconReading]:
        """The best word of each image from CTC log-probabilities (T, N, K), lengths (N,).

        `delta` limits the words to those within that edit distance of `texts` (default: the greedy readings). Raises
        ValueError for a tree method without a delta.
        """
        steps, count, _ = log_probs.shape
        lengths = np.full(count, steps) if lengths is None else np.asarray(lengths)
        if delta is not None:
            texts = self._greedy(log_probs, lengths) if texts is None else texts
            near = [self.nearest(text, delta, method)[0] for text in texts]
            return self.decode_among(log_probs, lengths, near)
        if method == "brute":
            return self.decode_among(log_probs, lengths, [np.arange(len(self.words))] * count)
        if method != "trie":
            raise ValueError(f"{method} needs a delta; without one use trie or brute")
        return self._exact(log_probs, lengths)

    def decode_among(
        self, log_probs: np.ndarray, lengths: Sequence[int], numbers: Sequence[np.ndarray]
    ) -> list[LexiconReading]:
        """The best of each image's own candidates: numbers[n] are word numbers; all are scored, none is cut."""
        logs = ctc.close(log_probs, lengths)
        rows, flat = _pairs(numbers)
        return self._pick(len(numbers), rows, flat, self._scores(logs, rows, flat))

    def choose(
        self, texts: Sequence[str], score: Score, delta: int | None = None, method: str = "trie"
    ) -> list[LexiconReading]:
        """As `decode` for any recogniser: `texts` are its readings, `score` its log-likelihoods of given words."""
        every = np.arange(len(self.words))
        numbers = [every if delta is None else self.nearest(text, delta, method)[0] for text in texts]
        return self.choose_among(numbers, score)

    def choose_among(self, numbers: Sequence[np.ndarray], score: Score) -> list[LexiconReading]:
        """As `decode_among` with a recogniser's own scores."""
        rows, flat = _pairs(numbers)
        scores = np.asarray(score(rows, [self.words[i] for i in flat]), dtype=np.float64) if len(rows) else np.zeros(0)
        return self._pick(len(numbers), rows, flat, scores)

    def _greedy(self, log_probs: np.ndarray, lengths: np.ndarray) -> list[str]:
        symbols = {i: character for character, i in self.codes.items()}
        best = log_probs.argmax(axis=2)
        return ["".join(symbols[k] for k in ctc.collapse(best[:n, i])) for i, n in enumerate(lengths)]

    def _pick(self, count: int, rows: np.ndarray, numbers: np.ndarray, scores: np.ndarray) -> list[LexiconReading]:
        """The best-scored pair of each image; the lower number wins a tie."""
        order = np.lexsort((numbers, -scores, rows))
        images, first = np.unique(rows[order], return_index=True)
        readings = [NOTHING] * count
        for image, best in zip(images.tolist(), order[first].tolist()):
            if scores[best] > -np.inf:
                readings[image] = LexiconReading(self.words[numbers[best]], float(scores[best]), True)
        return readings

    def _scores(self, logs: np.ndarray, rows: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """log p(word | image) of pairs: closed logs (T, N, K), rows (M,), word numbers (M,) -> (M,)."""
        scores = np.empty(len(rows))
        scaled, offsets = ctc.scale(logs)
        by_size = np.argsort(self.sizes[numbers], kind="stable")  # words of like length together: little padding
        states = 2 * int(self.sizes[numbers].max(initial=0)) + 1
        for start in range(0, len(rows), chunk := max(_CHUNK // states, 1)):
            part = by_size[start : start + chunk]
            scores[part] = self._forward(scaled, offsets, logs, rows[part], numbers[part])
        return scores

    def _forward(self, scaled, offsets, logs, rows, numbers) -> np.ndarray:
        """`_scores` of one chunk of pairs, (M,)."""
        if self.library is None:
            words, sizes = self._padded(numbers)
            return ctc.settle(ctc.forward_linear(scaled, rows, words, sizes), offsets, logs, rows, words, sizes)
        total = native.forward(self.library, scaled, rows, self.flat, self.starts[numbers], self.sizes[numbers])
        weak = np.flatnonzero(total < ctc.TRUSTED)
        with np.errstate(divide="ignore"):
            scores = np.log(total) + offsets[rows]
        if len(weak):
            scores[weak] = ctc.settle(total[weak], offsets, logs, rows[weak], *self._padded(numbers[weak]))
        return scores

    def _padded(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Words by number as (M, L) symbol indices padded with blanks, and their sizes (M,)."""
        sizes = self.sizes[numbers].astype(np.int64)
        columns = np.arange(int(sizes.max(initial=0)))
        inside = columns < sizes[:, None]
        places = np.where(inside, self.starts[numbers][:, None] + columns, 0)
        return np.where(inside, self.flat[places] if len(self.flat) else 0, ctc.BLANK).astype(np.int64), sizes

    def _exact(self, log_probs: np.ndarray, lengths: np.ndarray) -> list[LexiconReading]:
        """The best of all words by the bounded search; images on which every sum is tiny are scored in full."""
        logs = ctc.close(log_probs, lengths)
        scaled, offsets = ctc.scale(logs)
        winners, totals = self.search(scaled)
        readings = [NOTHING] * len(winners)
        for image, (number, total) in enumerate(zip(winners.tolist(), totals.tolist())):
            if total < ctc.TRUSTED and len(self.words):
                every = np.arange(len(self.words))
                alone = logs[:, image : image + 1]
                scores = self._scores(alone, np.zeros_like(every), every)
                readings[image] = self._pick(1, np.zeros_like(every), every, scores)[0]
            elif number >= 0:
                score = float(np.log(total) + offsets[image])
                readings[image] = LexiconReading(self.words[number], score, True)
        return readings

    def search(
        self, scaled: np.ndarray, weights: Weights | None = None, floors: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Number of the best word of each image (-1: none) and its scaled sum times its weight, (N,) each; where there
        are `floors` (N,), only words above their image's.
        """
        steps, count, symbols = scaled.shape
        if self.library is None:
            return best_by_level(self.trie, scaled, weights, floors)
        winners, totals, at = np.empty(count, np.int32), np.empty(count), native.pointer
        trie, deepest = self.trie, int(self.trie.height[0])
        arrays = (at(trie.symbol), at(trie.children), at(trie.word))
        arrays += (at(weights.words), at(weights.heaviest), at(weights.bare)) if weights else (None, None, None)
        arrays += (weights.growth if weights else 1.0, at(floors))
        self.library.best(*arrays, deepest, at(scaled), steps, count, symbols, at(winners), at(totals))
        return winners, totals


def _pairs(numbers: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Candidate lists of images as pairs: image rows (M,) and word numbers (M,)."""
    rows = np.repeat(np.arange(len(numbers)), [len(some) for some in numbers])
    return rows, np.concatenate([np.zeros(0, np.int64), *numbers]).astype(np.int64)


def best_by_level(
    trie: Trie, scaled: np.ndarray, weights: Weights | None = None, floors: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The bounded search in numpy: all images of a group together, a level of the trie at a time.

    A first dive keeps the few likeliest prefixes of each image and so finds a good word; the second pass then drops
    every prefix whose probability is below that word's. scaled (T, N, K) -> numbers and scaled sums, (N,) each.

    The frontier of a pass is F pairs of an image and a prefix. `blank[t]` and `symbol[t]` (T+1, F) sum the paths of the
    first t steps that collapse to the prefix and end in a blank, or in its last symbol: the forward variables of CTC,
    so that at t = T they add up to p(prefix | image), as a whole word. A child's symbol, first emitted at step t, must
    follow a path that reads its parent (`before`); summed over t, that is the probability that the labelling begins
    with the child's prefix (Graves et al., 2006, section 3.2, prefix search), which no word below can exceed but for
    rounding (1e-9).
    """
    steps, count, _ = scaled.shape
    widest = int(np.diff(trie.levels).max(initial=1))
    group = max(_CHUNK // (widest * max(steps, 1)), 1)
    weights = weights or Weights(trie, np.ones(int(trie.word.max(initial=-1)) + 1))
    winners, totals = np.full(count, -1, dtype=np.int64), np.zeros(count)
    floors = totals if floors is None else floors
    for start in range(0, count, group):
        part = slice(start, start + group)
        floor = _descend(trie, scaled[:, part], floors[part], weights, keep=4)[1]
        winners[part], totals[part] = _descend(trie, scaled[:, part], floor, weights)
    return winners, totals


def _descend(trie: Trie, scaled: np.ndarray, best: np.ndarray, weights: Weights, keep: int | None = None):
    """One pass down the trie; `best` (N,) are sums already reached. Returns winners and totals, (N,) each."""
    count = scaled.shape[1]
    best, winners = best.copy(), np.full(count, -1, dtype=np.int64)
    image, node = np.arange(count), np.zeros(count, dtype=np.int64)
    blank = np.concatenate([np.ones((1, count)), np.cumprod(scaled[:, :, ctc.BLANK], axis=0)])  # (T+1, F)
    symbol = np.zeros_like(blank)
    while len(node):
        word = trie.word[node]
        weighed = (blank[-1] + symbol[-1]) * weights.words[word]
        _note(word, image, weighed, best, winners)
        place, child = trie.expand(node)
        image, k = image[place], trie.symbol[child]
        # a repeated symbol needs a blank between, or the two would collapse into one
        before = blank[:-1, place] + np.where(k == trie.symbol[node[place]], 0.0, symbol[:-1, place])  # (T, C)
        emit = scaled[:, image, k]
        bound = (emit * before).sum(axis=0) * weights.heaviest[child]
        alive = np.flatnonzero((bound * (1 + 1e-9) >= best[image]) & (bound > 0))
        if keep is not None:
            alive = alive[_likeliest(image[alive], bound[alive], keep)]
        image, node = image[alive], child[alive]
        blank, symbol = _masses(scaled[:, image, ctc.BLANK], emit[:, alive], before[:, alive])
    return winners, best


def _note(word: np.ndarray, image: np.ndarray, score: np.ndarray, best: np.ndarray, winners: np.ndarray) -> None:
    """Writes into `best` and `winners` (N,) the words that end at a frontier and are better; low numbers win ties."""
    ends = np.flatnonzero((word >= 0) & (score > 0))
    ends = ends[np.lexsort((word[ends], -score[ends], image[ends]))]
    images, first = np.unique(image[ends], return_index=True)
    top = ends[first]
    known = winners[images]
    lower = (score[top] == best[images]) & ((known < 0) | (word[top] < known))
    better = (score[top] > best[images]) | lower
    best[images[better]], winners[images[better]] = score[top][better], word[top][better]


def _likeliest(image: np.ndarray, bound: np.ndarray, keep: int) -> np.ndarray:
    """Places of the `keep` highest bounds of each image."""
    order = np.lexsort((-bound, image))
    _, first, counts = np.unique(image[order], return_index=True, return_counts=True)
    rank = np.arange(len(order)) - np.repeat(first, counts)
    return order[rank < keep]


def _masses(blank_probs: np.ndarray, emit: np.ndarray, before: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Forward variables of prefixes from those of their parents: `blank` and `symbol` (T+1, F) of `best_by_level`, from
    the probabilities of the blank and of the last symbol, and what may precede that symbol, (T, F) each.
    """
    steps, width = emit.shape
    blank, symbol = np.zeros((steps + 1, width)), np.zeros((steps + 1, width))
    for t in range(steps):
        symbol[t + 1] = emit[t] * (before[t] + symbol[t])
        blank[t + 1] = blank_probs[t] * (blank[t] + symbol[t])
    return blank, symbol
