"""The noisy channel: the text w that maximises log p(picture | w) + strength * (log P(w) + bonus * |w|) (Shannon 1948;
Kernighan, Church and Gale, COLING 1990; the bonus as in `ctc.beam_search`).

P is in `prior.py`. The candidates of a picture are the reading, the
beam's best readings and the best of all listed words: the last by the exact search over the trie, in which a word's
share of the prior is one more factor of its bound (`lexicon.Weights`). A picture that no word could win is not
searched: its reading's score is above what all the rest of the probability could reach.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from crnn_jt.decoding import ctc, native
from crnn_jt.decoding.lexicon import Lexicon, Weights
from crnn_jt.decoding.prior import Prior
from data_tools.errors import UserError
from data_tools.words.language import Language, read_language

DEFAULT = "english"
"""The language of models that read all its letters, where none is named: what it spoils of codes is far below what it
mends (docs/language.md).
"""
STRENGTH, BONUS = 0.5, 1.5
"""Of log P(w) against the picture; nats for each symbol, since the picture knows how long a word is. Chosen on
development data: docs/language.md.
"""
WIDTH = 12
"""Readings that the beam keeps."""
GUIDE = 0.3
"""Strength of the three-letter model within the beam, as in `ctc.beam_search` lower than that of the whole words."""
FLOOR = 1e-3
"""Symbols below this chance at a step are not tried by the beam."""
LONGER = 2
"""A reading is not searched where no word at most this much longer could be likelier."""
UNSEEN = -10.0
"""log P of the texts that are no candidates, for the confidence."""
TOGETHER = 24
"""Words that are looked at together, of like length: the shorter are filled up to the longest."""
DISMISSED = 1e-8
"""A listed word that picture and language give less is not looked for: its confidence would be below 1e-5. Half of
the time that photographs took in the search went into regions where there is no text.
"""
EDGE = "|"
"""Touching a word it is the edge of a sign or of a table's column; alone, or within a word, it may be written."""
REMEMBERED = 20_000
"""Texts whose log P is remembered: forms and receipts say the same over and over."""


@dataclass(frozen=True)
class Choice:
    """The text chosen for a picture and its confidence, 0-1; the other candidates, best first, with theirs."""

    text: str
    confidence: float
    others: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Candidates:
    """Texts of some pictures, in these pictures' order, of each its reading first; with the number of each one's
    picture, log p(picture | text) and log P(text) + bonus, (M,) each.
    """

    texts: list[str]
    rows: np.ndarray
    pictures: np.ndarray
    priors: np.ndarray


class Channel:
    """A language ready to correct the readings of a model with `symbols` (index 1 first)."""

    def __init__(self, language: Language, symbols: Sequence[str], strength: float = STRENGTH):
        self.symbols, self.strength = tuple(symbols), strength
        self.codes = {symbol: i + 1 for i, symbol in enumerate(self.symbols)}
        self.between = [False, *(not symbol.isalnum() for symbol in self.symbols)]
        self.space, self.edge = (self.codes.get(symbol, -1) for symbol in (" ", EDGE))
        self.around = "".join(symbol for symbol in self.symbols if not symbol.isalnum())
        self.prior = Prior(language, self.symbols)
        words = list(self.prior.chances)
        if not self.prior.folds:
            words = list(dict.fromkeys(form for word in words for form in (word, word.capitalize(), word.upper())))
        self.lexicon = Lexicon(words, self.symbols)
        priors = np.log([self.prior.listed(word) for word in self.lexicon.words]) + BONUS * self.lexicon.sizes
        self.weights = Weights(self.lexicon.trie, np.exp(strength * priors), math.exp(strength * BONUS))
        self.most = np.full(int(self.lexicon.sizes.max()) + 1, -np.inf)
        np.maximum.at(self.most, self.lexicon.sizes, priors)
        self.most = np.maximum.accumulate(self.most)
        self.guide = self._make_guide()
        self._known: dict[str, float] = {}
        self._points = np.array([0, *map(ord, self.symbols)], np.uint32)
        self._codes_of = np.zeros(int(self._points.max()) + 1, np.int64)
        self._codes_of[self._points] = np.arange(len(self._points))

    def _make_guide(self) -> np.ndarray | None:
        """Factors of symbols after two others for the beam, (K, K, K); None for sets too large for such a table."""
        if len(self.symbols) > 128:
            return None
        codes = self.prior.ngram.codes
        place = np.array([0, *(codes.get(symbol.lower(), 0) for symbol in self.symbols)])
        table = self.prior.ngram.table() ** GUIDE * np.e**GUIDE  # a nat for each symbol, as longer words cost more
        return np.ascontiguousarray(table[np.ix_(place, place, place)])

    def correct(self, log_probs: np.ndarray, lengths: Sequence[int]) -> list[Choice]:
        """The likeliest text of each image by picture and language, from CTC log-probabilities (T, N, K), lengths (N,).

        Lines are corrected word by word, what stands between words (spaces, punctuation) as it was read, but for edges.
        """
        paths = [path[:size] for path, size in zip(log_probs.argmax(2).T.tolist(), lengths)]
        lines = [self._drop_edges(self._split(path)) if any(self.between) else [(0, len(path))] for path in paths]
        spans = [(n, *piece) for n, line in enumerate(lines) for piece in line if isinstance(piece, tuple)]
        readings = [self._text(ctc.collapse(paths[n][start:end])) for n, start, end in spans]
        choices = iter(self._choose(self.propose(log_probs, np.array(spans, dtype=np.int64).reshape(-1, 3), readings)))
        return [
            _join([next(choices) if isinstance(piece, tuple) else self.symbols[piece - 1] for piece in line])
            for line in lines
        ]

    def correct_steps(self, log_probs: np.ndarray) -> list[Choice]:
        """As `correct` for decoders: log-probabilities (T', N, K) by place of the text, the end at index 0.

        A certain blank after each step makes them CTC's. What a decoder would have said after another symbol is not
        asked: asking costs a hundred times as much and was right once more in 257 words.
        """
        steps, count, symbols = log_probs.shape
        lattice = np.full((2 * steps, count, symbols), -np.inf)
        lattice[::2], lattice[1::2, :, ctc.BLANK] = log_probs, 0.0
        ended = log_probs.argmax(2) == ctc.BLANK
        return self.correct(lattice, 2 * np.where(ended.any(0), ended.argmax(0), steps))

    def propose(self, log_probs: np.ndarray, spans: np.ndarray, readings: list[str]) -> Candidates:
        """The candidates of words, each a span (image, first step, step after the last), (M, 3), of log-probabilities
        (T, N, K), by what they read; only the reading where no other text could win.
        """
        seen, priors = np.zeros(len(spans)), self._log_p(readings)
        for group in _group(spans, np.arange(len(spans))):
            seen[group] = self._see_readings(log_probs, spans[group], [readings[i] for i in group])
        reached = seen + self.strength * priors
        sizes = np.minimum([len(text) + LONGER for text in readings], len(self.most) - 1).astype(np.int64)
        with np.errstate(divide="ignore"):
            rest = np.log(1 - np.minimum(np.exp(seen), 1.0)) + self.strength * self.most[sizes]
        rows, texts, pictures = [np.arange(len(spans))], list(readings), [seen]
        for group in _group(spans, np.flatnonzero(reached <= rest)):
            scaled, offsets = ctc.scale(_cut(log_probs, spans[group]))
            floors = np.maximum(np.exp(reached[group] - offsets), DISMISSED * np.exp(-offsets))
            places, new, sums = self._search(scaled, [readings[i] for i in group], floors)
            rows.append(group[places])
            texts += new
            with np.errstate(divide="ignore"):
                pictures.append(np.log(sums) + offsets[places])
        priors = np.concatenate([priors, self._log_p(texts[len(spans) :])])
        order = np.argsort(np.concatenate(rows), kind="stable")
        rows, pictures = np.concatenate(rows)[order], np.concatenate(pictures)[order]
        return Candidates([texts[i] for i in order], rows, pictures, priors[order])

    def _search(
        self, scaled: np.ndarray, readings: Sequence[str], floors: np.ndarray
    ) -> tuple[np.ndarray, list[str], np.ndarray]:
        """The beam's best readings of each image and the best listed word above its floor (N,), if there is any,
        without the reading: images, texts and forward sums, (M,) each. What the beam says of listed words is a floor.
        """
        found = self._search_beams(scaled)
        rows, texts = np.repeat(np.arange(len(found)), [len(own) for own in found]), [t for own in found for t in own]
        sums = self._sum_paths(scaled, rows, *self._encode(texts))
        likely = [(i, text) for i, text in enumerate(texts) if text.lower() in self.prior.chances]
        listed = [(i, log_p) for i, text in likely if (log_p := self._log_listed(text)) is not None]
        if listed:
            places, logs = map(list, zip(*listed))
            scores = sums[places] * np.exp(self.strength * np.array(logs))
            np.maximum.at(floors, rows[places], scores * (1 - 1e-9))
        numbers, totals = self.lexicon.search(scaled, self.weights, floors)
        best = [self.lexicon.words[i] if i >= 0 else readings[n] for n, i in enumerate(numbers.tolist())]
        more = [n for n, word in enumerate(best) if word not in {readings[n], *found[n]}]
        new = [i for i, row in enumerate(rows.tolist()) if texts[i] != readings[row]]
        return (
            np.concatenate([rows[new], np.array(more, dtype=np.int64)]),
            [texts[i] for i in new] + [best[n] for n in more],
            np.concatenate([sums[new], totals[more] / self.weights.words[numbers[more]]]),
        )

    def _log_listed(self, text: str) -> float | None:
        """log of the share and the bonus of a text of which the language has the word; None where not so written."""
        folded = text.lower()
        if not self.prior.folds and text not in (folded, folded.capitalize(), folded.upper()):
            return None
        return math.log(self.prior.listed(text)) + BONUS * len(text)

    def _encode(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Texts as symbol indices padded with blanks, (M, L), and their sizes (M,)."""
        points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
        sizes = np.array([len(text) for text in texts], dtype=np.int64)
        words = np.full((len(texts), int(sizes.max(initial=0))), ctc.BLANK, dtype=np.int64)
        words[np.arange(words.shape[1]) < sizes[:, None]] = self._codes_of[points]
        return words, sizes

    def _see_readings(self, log_probs: np.ndarray, spans: np.ndarray, readings: Sequence[str]) -> np.ndarray:
        """log p(reading | picture) of each span, (M,): of all symbols only the reading's own are looked at."""
        words, sizes = self._encode(readings)
        symbols = np.concatenate([np.full((len(words), 1), ctc.BLANK), words], axis=1)  # (M, 1 + L)
        chances = np.exp(_cut(log_probs, spans, symbols))  # (T, M, 1 + L)
        places = 1 + (words[:, :, None] == words[:, None, :]).argmax(2)  # the same one wherever a symbol comes again
        with np.errstate(divide="ignore"):
            return np.log(self._sum_paths(chances, np.arange(len(words)), places, sizes))

    def _sum_paths(self, scaled: np.ndarray, rows: np.ndarray, words: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """The forward sums (M,) of words (M, L), `sizes` (M,) long, on images `rows` (M,)."""
        if self.lexicon.library is None:
            return ctc.forward_linear(scaled, rows, words, sizes)
        starts = np.arange(len(words)) * words.shape[1]
        return native.forward(self.lexicon.library, scaled, rows, words.ravel(), starts, sizes)

    def _choose(self, found: Candidates) -> list[Choice]:
        """The best candidate of each picture; what the candidates leave of the picture's probability is spread over
        rare texts.
        """
        rows, firsts = found.rows, np.flatnonzero(np.diff(found.rows, prepend=-1))
        scores = found.pictures + self.strength * found.priors
        best = np.maximum.reduceat(scores, firsts)
        best[best == -np.inf] = 0.0  # nothing is possible: the reading stays, without confidence
        left = np.maximum(1.0 - np.add.reduceat(np.exp(found.pictures), firsts), 0.0)
        powers = np.exp(scores - best[rows])
        whole = np.add.reduceat(powers, firsts) + left * np.exp(self.strength * UNSEEN - best)
        order = np.lexsort((-scores, rows))
        ranked = list(zip([found.texts[i] for i in order], (powers / whole[rows])[order].tolist()))
        ends = [*firsts[1:].tolist(), len(ranked)]
        return [Choice(*ranked[a], tuple(ranked[a + 1 : b])) for a, b in zip(firsts.tolist(), ends)]

    def _search_beams(self, scaled: np.ndarray) -> list[list[str]]:
        """The beam's readings of each image."""
        steps, count, symbols = scaled.shape
        library = self.lexicon.library
        if library is None:
            with np.errstate(divide="ignore"):
                logs = np.log(scaled)
            guide = None if self.guide is None else _Guide(np.log(self.guide))
            found = [ctc.beam_search(logs[:, n], WIDTH, guide, 1.0) for n in range(count)]
            return [[self._text(reading.indices) for reading in own] for own in found]
        words, sizes = np.zeros((count, WIDTH, steps), np.int32), np.full((count, WIDTH), -1, np.int32)
        at = native.pointer
        library.beams(at(scaled), steps, count, symbols, at(self.guide), WIDTH, FLOOR, steps, at(words), at(sizes))
        texts = self._points[words].view(np.dtype(("U", steps)))[:, :, 0].tolist()
        return [[text for text, size in zip(own, ends) if size >= 0] for own, ends in zip(texts, sizes.tolist())]

    def _split(self, path: list[int]) -> list[tuple[int, int] | int]:
        """A best path as words (first step, step after the last) and the symbols between them."""
        runs = ctc.find_runs(path)
        pieces, begin, inside = [], 0, False
        for (symbol, start, end), outer in zip(runs, self._are_outside([symbol for symbol, _, _ in runs])):
            if outer:
                pieces += [(begin, start), symbol] if inside else [symbol]
                begin = end
            inside = not outer
        return pieces + ([(begin, len(path))] if inside else [])

    def _drop_edges(self, pieces: list[tuple[int, int] | int]) -> list[tuple[int, int] | int]:
        """Without the edges that touch a word."""
        if self.edge not in pieces:
            return pieces
        kinds = "".join("w" if isinstance(piece, tuple) else "|" if piece == self.edge else " " for piece in pieces)
        touching = {place for run in re.finditer(r"(?<=w)\|+|\|+(?=w)", kinds) for place in range(*run.span())}
        return [piece for place, piece in enumerate(pieces) if place not in touching]

    def _are_outside(self, symbols: list[int]) -> list[bool]:
        """Of each symbol whether it stands between words: not a hyphen, an apostrophe, a full stop within one."""
        apart = [self.between[symbol] for symbol in symbols]
        within = None  # the last symbol of a word that may go on
        for place, symbol in enumerate(symbols):
            if symbol == self.space:
                within = None
            elif not apart[place]:
                if within is not None:
                    apart[within:place] = [False] * (place - within)
                within = place
        return apart

    def _text(self, indices: Sequence[int]) -> str:
        return "".join([self.symbols[i - 1] for i in indices])

    def _log_p(self, texts: Sequence[str]) -> np.ndarray:
        """log P of texts and their bonus, (M,)."""
        if len(self._known) > REMEMBERED:
            self._known.clear()
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self._ask_prior(new).tolist()))
        return np.array([self._known[text] for text in texts])

    def _ask_prior(self, texts: Sequence[str]) -> np.ndarray:
        """The same where nothing is remembered: a line's words one by one, without the punctuation around them."""
        bonus = BONUS * np.array([len(text) for text in texts])
        if not any(self.between):
            return self.prior.log_p(texts) + bonus
        words = [[word.strip(self.around) for word in text.split(" ")] for text in texts]
        flat = self.prior.log_p([word for line in words for word in line])
        ends = np.cumsum([len(line) for line in words])
        return np.add.reduceat(flat, ends - [len(line) for line in words]) + bonus


def open_channel(language: str | Language | None, symbols: tuple[str, ...], separator: str = "") -> Channel | None:
    """The channel for a model's symbols; None for "none". Without a name: English where all of its letters are read.

    `language` is `english`, `none`, a file's path or a `Language`. Raises UserError for a file that is none, and for a
    model that does not read its characters.
    """
    if language is None:
        language = "none" if separator or not set("abcdefghijklmnopqrstuvwxyz") <= set(symbols) else DEFAULT
    if language == "none":
        return None
    if separator:
        raise UserError("a language is for models of characters; this one reads the symbols of a vocabulary")
    if isinstance(language, Language):
        return Channel(language, symbols)
    return _remember_channel(str(language), symbols)


@lru_cache(maxsize=4)
def _remember_channel(name: str, symbols: tuple[str, ...]) -> Channel:
    return Channel(read_language(name), symbols)


class _Guide:
    """The table of `Channel.guide` as `ctc.beam_search` asks for it."""

    def __init__(self, logs: np.ndarray):
        self.logs = logs

    def log_next(self, prefix: tuple[int, ...]) -> np.ndarray:
        return self.logs[(0, 0, *prefix)[-2:]]


def _group(spans: np.ndarray, chosen: np.ndarray) -> Iterator[np.ndarray]:
    """The chosen ones of spans (M, 3), those of like length together."""
    order = chosen[np.argsort(spans[chosen, 2] - spans[chosen, 1], kind="stable")]
    return (order[first : first + TOGETHER] for first in range(0, len(order), TOGETHER))


def _cut(log_probs: np.ndarray, spans: np.ndarray, symbols: np.ndarray | None = None) -> np.ndarray:
    """Closed log-probabilities (see `ctc.close`) of spans (M, 3), float64 (T, M, K), or of their own symbols (M, K)."""
    rows, starts, ends = spans.T
    steps = starts + np.arange(int((ends - starts).max(initial=0)))[:, None]  # (T, M)
    after = steps >= ends
    steps[after] = 0
    found = log_probs[steps, rows] if symbols is None else log_probs[steps[:, :, None], rows[:, None], symbols]
    logs = found.astype(np.float64)
    logs[after] = -np.inf
    logs[after, ctc.BLANK] = 0.0
    return logs


def _join(pieces: list[Choice | str]) -> Choice:
    """A line from its words and what stands between them; its confidence is that of all its words."""
    text = "".join(piece if isinstance(piece, str) else piece.text for piece in pieces)
    chosen = [piece for piece in pieces if isinstance(piece, Choice)]
    others = chosen[0].others if len(pieces) == len(chosen) == 1 else ()
    return Choice(text, math.prod(choice.confidence for choice in chosen), others)
