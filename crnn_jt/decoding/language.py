"""The noisy channel: the text w that maximises log p(picture | w) + strength * (log P(w) + bonus * |w|) (Shannon 1948;
Kernighan, Church and Gale, COLING 1990; the bonus as in `ctc.beam_search`).

P is in `prior.py`. The candidates of a picture are the reading, the
beam's best readings and the best of all listed words: the last by the exact search over the trie, in which a word's
share of the prior is one more factor of its bound (`lexicon.Weights`). A picture that no word could win is not
searched: its reading's score is above what all the rest of the probability could reach.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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
TOGETHER = 48
"""Words that are looked at together, of like length: the shorter are filled up to the longest."""
DISMISSED = 1e-8
"""A listed word that picture and language give less is not looked for: its confidence would be below 1e-5. Half of
the time that photographs took in the search went into regions where there is no text.
"""
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
    """Texts of one picture, its reading first, with log p(picture | text) and log P(text) + bonus, (M,) each."""

    texts: list[str]
    pictures: np.ndarray
    priors: np.ndarray


class Channel:
    """A language ready to correct the readings of a model with `symbols` (index 1 first)."""

    def __init__(self, language: Language, symbols: Sequence[str], strength: float = STRENGTH):
        self.symbols, self.strength = tuple(symbols), strength
        self.codes = {symbol: i + 1 for i, symbol in enumerate(self.symbols)}
        self.between = [False, *(not symbol.isalnum() for symbol in self.symbols)]
        self.space = self.codes.get(" ", -1)
        self.around = "".join(symbol for symbol in self.symbols if not symbol.isalnum())
        self.prior = Prior(language, self.symbols)
        words = list(self.prior.chances)
        if not self.prior.folds:
            words = list(dict.fromkeys(form for word in words for form in (word, word.capitalize(), word.upper())))
        self.lexicon = Lexicon(words, self.symbols)
        priors = np.log([self.prior.listed(word) for word in self.lexicon.words]) + BONUS * self.lexicon.sizes
        self.weights = Weights(self.lexicon.trie, np.exp(strength * priors))
        self.most = np.full(int(self.lexicon.sizes.max()) + 1, -np.inf)
        np.maximum.at(self.most, self.lexicon.sizes, priors)
        self.most = np.maximum.accumulate(self.most)
        self.guide = self._make_guide()
        self._known: dict[str, float] = {}
        self._read_out = ("", *self.symbols).__getitem__

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

        Lines are corrected word by word, what stands between words (spaces, punctuation) as it was read.
        """
        if not any(self.between):
            return [self._choose(own) for own in self.propose(log_probs, lengths)]
        paths = log_probs.argmax(2).T.tolist()
        lines = [self._split(path[:size]) for path, size in zip(paths, lengths)]
        spans = [(n, *piece) for n, line in enumerate(lines) for piece in line if isinstance(piece, tuple)]
        choices = iter(self._correct_words(log_probs, spans))
        return [
            _join([next(choices) if isinstance(piece, tuple) else self.symbols[piece - 1] for piece in line])
            for line in lines
        ]

    def _correct_words(self, log_probs: np.ndarray, spans: Sequence[tuple[int, int, int]]) -> list[Choice]:
        """The likeliest text of each span (image, first step, step after the last)."""
        sizes = np.array([end - start for _, start, end in spans], dtype=np.int64)
        order = np.argsort(sizes, kind="stable").tolist()
        found: list[Choice] = [Choice("", 0.0)] * len(spans)
        for first in range(0, len(order), TOGETHER):
            group = order[first : first + TOGETHER]
            words = np.zeros((sizes[group[-1]], len(group), log_probs.shape[2]))
            for i, place in enumerate(group):
                n, start, end = spans[place]
                words[: end - start, i] = log_probs[start:end, n]
            for place, own in zip(group, self.propose(words, sizes[group])):
                found[place] = self._choose(own)
        return found

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

    def propose(self, log_probs: np.ndarray, lengths: Sequence[int]) -> list[Candidates]:
        """The candidates of images of one word each; only the reading where no other text could win."""
        if not log_probs.shape[1]:
            return []
        logs = ctc.close(log_probs, lengths)
        scaled, offsets = ctc.scale(logs)
        texts = [[self._text(ctc.collapse(path))] for path in logs.argmax(2).T.tolist()]
        readings = [own[0] for own in texts]
        with np.errstate(divide="ignore"):
            seen = np.log(self._sum_paths(scaled, np.arange(len(texts)), readings)) + offsets
            reached = seen + self.strength * self._log_p(readings)
            sizes = np.minimum([len(text) + LONGER for text in readings], len(self.most) - 1)
            rest = np.log(1 - np.minimum(np.exp(seen), 1.0)) + self.strength * self.most[sizes]
        doubtful = np.flatnonzero(reached <= rest)
        if len(doubtful):
            alone = np.ascontiguousarray(scaled[:, doubtful])
            floors = np.exp((reached - offsets)[doubtful]), DISMISSED * np.exp(-offsets[doubtful])
            for n, found in zip(doubtful, self._search(alone, *floors)):
                texts[n] = list(dict.fromkeys(texts[n] + found))
        return self._weigh(texts, scaled, offsets)

    def _search(self, scaled: np.ndarray, floors: np.ndarray, dismissed: np.ndarray) -> list[list[str]]:
        """The beam's best readings of each image, then the best listed word above its floor, if there is any.

        What is dismissed, and what the beam says of listed words, are floors (N,) as well: no other word needs to be
        looked at below.
        """
        found = [[self._text(indices) for indices in own] for own in self._search_beams(scaled)]
        floors = np.maximum(floors, dismissed)
        pairs = [(n, text, log_p) for n, own in enumerate(found) for text in own if (log_p := self._log_listed(text))]
        if pairs:
            own_rows, listed, logs = zip(*pairs)
            rows = np.array(own_rows)
            scores = self._sum_paths(scaled, rows, listed) * np.exp(self.strength * np.array(logs))
            np.maximum.at(floors, rows, scores * (1 - 1e-9))
        best = self.lexicon.search(scaled, self.weights, floors)[0]
        return [own + [self.lexicon.words[number]] * (number >= 0) for own, number in zip(found, best.tolist())]

    def _log_listed(self, text: str) -> float | None:
        """log of the share and the bonus of a text that the lexicon lists; None of another one."""
        folded = text.lower()
        if not self.prior.word(folded) or not (
            self.prior.folds or text in (folded, folded.capitalize(), folded.upper())
        ):
            return None
        return math.log(self.prior.listed(text)) + BONUS * len(text)

    def _sum_paths(self, scaled: np.ndarray, rows: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """The forward sums (M,) of texts on images `rows` (M,)."""
        words, sizes = ctc.pad([[self.codes[symbol] for symbol in text] for text in texts])
        if self.lexicon.library is None:
            return ctc.forward_linear(scaled, rows, words, sizes)
        starts = np.arange(len(texts)) * words.shape[1]
        return native.forward(self.lexicon.library, scaled, rows, words.ravel(), starts, sizes)

    def _weigh(self, texts: list[list[str]], scaled: np.ndarray, offsets: np.ndarray) -> list[Candidates]:
        """Each image's texts with what picture and language say of them."""
        rows = np.repeat(np.arange(len(texts)), [len(own) for own in texts])
        flat = [text for own in texts for text in own]
        with np.errstate(divide="ignore"):
            pictures = np.log(self._sum_paths(scaled, rows, flat)) + offsets[rows]
        priors, ends = self._log_p(flat), np.cumsum([len(own) for own in texts]).tolist()
        parts = [slice(first, last) for first, last in zip([0, *ends], ends)]
        return [Candidates(own, pictures[part], priors[part]) for own, part in zip(texts, parts)]

    def _choose(self, found: Candidates) -> Choice:
        """The best candidate; what the candidates leave of the picture's probability is spread over rare texts."""
        scores = found.pictures + self.strength * found.priors
        best = scores.max()
        if best == -np.inf:
            return Choice(found.texts[0], 0.0)
        left = max(1.0 - float(np.exp(found.pictures).sum()), 0.0)
        powers = np.exp(scores - best)
        whole = powers.sum() + left * np.exp(self.strength * UNSEEN - best)
        order = np.argsort(-scores, kind="stable")
        ranked = [(found.texts[i], float(powers[i] / whole)) for i in order]
        return Choice(*ranked[0], tuple(ranked[1:]))

    def _search_beams(self, scaled: np.ndarray) -> list[list[tuple[int, ...]]]:
        """The beam's readings of each image, as symbol indices."""
        steps, count, symbols = scaled.shape
        library = self.lexicon.library
        if library is None:
            with np.errstate(divide="ignore"):
                logs = np.log(scaled)
            guide = None if self.guide is None else _Guide(np.log(self.guide))
            return [[r.indices for r in ctc.beam_search(logs[:, n], WIDTH, guide, 1.0)] for n in range(count)]
        words, sizes = np.zeros((count, WIDTH, steps), np.int32), np.full((count, WIDTH), -1, np.int32)
        at = native.pointer
        library.beams(at(scaled), steps, count, symbols, at(self.guide), WIDTH, FLOOR, steps, at(words), at(sizes))
        return [
            [tuple(word[:size].tolist()) for word, size in zip(own, ends) if size >= 0]
            for own, ends in zip(words, sizes)
        ]

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
        return "".join(map(self._read_out, indices))

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


def _join(pieces: list[Choice | str]) -> Choice:
    """A line from its words and what stands between them; its confidence is that of all its words."""
    text = "".join(piece if isinstance(piece, str) else piece.text for piece in pieces)
    chosen = [piece for piece in pieces if isinstance(piece, Choice)]
    others = chosen[0].others if len(pieces) == len(chosen) == 1 else ()
    return Choice(text, float(np.prod([choice.confidence for choice in chosen])), others)
