"""Reads test sets by a protocol: every image once, then all lexicon columns from its log-probabilities."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol as Interface

import numpy as np
from PIL import Image

from crnn_jt import metrics
from crnn_jt.decoding.lexicon import Lexicon, LexiconReading
from data_tools.errors import UserError
from data_tools.lexicons import SEED
from data_tools.sample import CorruptSample
from data_tools.text import alphanumeric
from eval import lexicons
from eval.folding import fold, fold_symbols
from eval.lexicons import Choices, Unserved
from eval.protocols import DELTA, DRAWN, Protocol
from eval.sets import TestSet

logger = logging.getLogger(__name__)

BATCH = 64


class Subject(Interface):
    """What is evaluated. `eval.subject` makes one of a loaded recogniser."""

    symbols: Sequence[str]
    """The characters, index 1 first."""

    def read(self, images: list[Image.Image]) -> list[Read]:
        """A reading of each image."""
        ...

    def score(self, images: list[Image.Image], rows: np.ndarray, words: list[str]) -> np.ndarray:
        """log p(words[m] | images[rows[m]]), (M,); for recognisers without per-step probabilities."""
        ...


@dataclass
class Read:
    """A lexicon-free reading; `log_probs` (T, K) over the steps of this image, None for decoders."""

    text: str
    confidence: float
    log_probs: np.ndarray | None = None


@dataclass
class Item:
    """One image of a set: where it lies, label and reading as they are and normalised, the words chosen by column."""

    index: int
    key: str
    label: str
    truth: str
    raw: str = ""
    reading: str = ""
    confidence: float = 0.0
    readable: bool = True
    log_probs: np.ndarray | None = None
    chosen: dict[str, LexiconReading] = field(default_factory=dict)

    def answer(self, column: str) -> str:
        """What was read in a column: the chosen word, or the lexicon-free reading where none qualified."""
        if column == "none":
            return self.reading
        word = self.chosen[column].word
        return self.reading if word is None else word


@dataclass
class SetResult:
    """One set: its figures by column (`scores`), why columns are missing (`left_out`), and what was read."""

    name: str
    items: list[Item]
    scores: dict[str, dict] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict:
        """{"n", column: figures …, "left_out": {column: why}}."""
        return {"n": len(self.items), **self.scores, "left_out": self.left_out}


class Evaluation:
    """A protocol applied to one recogniser. `problems` gathers one line for each thing that could not be used."""

    def __init__(
        self, subject: Subject, protocol: Protocol, columns: list[str], dictionary: Path | None, seed: int = SEED
    ):
        self.subject, self.protocol, self.columns, self.seed = subject, protocol, columns, seed
        self.problems: list[str] = []
        self._dictionary = self._open_dictionary(dictionary)

    def _open_dictionary(self, path: Path | None) -> tuple[Choices, Lexicon] | str | None:
        """The dictionary, once for all sets; or why there is none."""
        if not any(column.startswith("50k") for column in self.columns):
            return None
        try:
            choices = lexicons.dictionary(path)
            return choices, self._lexicon(choices.words, choices.source)
        except (Unserved, UserError) as error:
            self.problems.append(f"50k: {error}")
            return str(error)

    def _lexicon(self, words: list[str], source: str) -> Lexicon:
        lexicon = Lexicon(words, fold_symbols(self.subject.symbols))
        if lexicon.outside:
            self.problems.append(
                f"{source}: {len(lexicon.outside)} words are outside the character set, such as {lexicon.outside[0]}"
            )
        return lexicon

    def run(self, test_set: TestSet) -> SetResult:
        """Reads one set and fills its columns. Raises UserError where not one image has a label that counts."""
        result = SetResult(test_set.name, [])
        for batch, images in self._batches(test_set):
            for item, read in zip(batch, self.subject.read(images) if images else []):
                item.raw, item.confidence = read.text, read.confidence
                item.log_probs = read.log_probs if self.columns != ["none"] else None
                item.reading = alphanumeric(read.text)
            result.items.extend(batch)
        result.items.sort(key=lambda item: item.index)
        if not result.items:
            raise UserError("no image has a label that counts")
        for column in self.columns:
            try:
                result.scores[column] = self._column(column, result.items, test_set)
            except Unserved as why:
                result.left_out[column] = str(why)
        for item in result.items:
            item.log_probs = None
        return result

    def _batches(self, test_set: TestSet) -> Iterator[tuple[list[Item], list[Image.Image]]]:
        """Items that count, with the images of the readable ones; an unreadable image is a batch of its own."""
        items, images, unlabelled = [], [], []
        for index in range(len(test_set.reader)):
            try:
                sample = test_set.reader[index]
            except CorruptSample as corrupt:
                if corrupt.why.startswith(("the annotation", "the label")):
                    unlabelled.append(str(corrupt))
                else:
                    self.problems.append(f"{test_set.name}: {corrupt}; counts as wrong")
                    yield [Item(index, corrupt.key, "", "", readable=False)], []
                continue
            if not self.protocol.keeps(test_set.name, sample.text):
                continue
            items.append(Item(index, sample.key, sample.text, alphanumeric(sample.text)))
            images.append(sample.image)
            if len(items) == BATCH:
                yield items, images
                items, images = [], []
        if unlabelled:
            self.problems.append(f"{test_set.name}: {len(unlabelled)} images left out, such as {unlabelled[0]}")
        if items:
            yield items, images

    def _column(self, column: str, items: list[Item], test_set: TestSet) -> dict:
        """Figures of one column. Raises Unserved."""
        if column == "none":
            scores = figures([item.reading for item in items], items)
            right = [item.readable and item.reading == item.truth for item in items]
            sure = [item.confidence for item in items]
            scores["calibration_error"] = metrics.expected_calibration_error(sure, right)
            scores["confidence_power"] = metrics.confidence_power(sure, right)
            return scores
        choices, lexicon = self._choices(column, items, test_set)
        for start in range(0, len(items), BATCH):
            part = range(start, min(start + BATCH, len(items)))
            self._choose(column, [items[i] for i in part], part, choices, lexicon, test_set)
        return self._lexicon_figures(column, items, choices)

    def _choices(self, column: str, items: list[Item], test_set: TestSet) -> tuple[Choices, Lexicon]:
        if column.startswith("50k"):
            if isinstance(self._dictionary, str):
                raise Unserved(self._dictionary)
            return self._dictionary
        labels = [item.truth for item in items]
        if column in DRAWN:
            names = [item.key for item in items]
            choices = lexicons.per_image(column, names, labels, test_set.official.get(column), self.seed)
        else:
            choices = lexicons.full(labels)
        lexicon = Lexicon(choices.words, fold_symbols(self.subject.symbols))
        if lexicon.outside:
            raise Unserved(f"{len(lexicon.outside)} of its words are outside the character set")
        return choices, lexicon

    def _choose(self, column, items: list[Item], part: range, choices: Choices, lexicon: Lexicon, test_set) -> None:
        """Fills `chosen[column]` of some items."""
        alive = [(item, number) for item, number in zip(items, part) if item.readable]
        for item in items:
            item.chosen[column] = LexiconReading(None, -np.inf, False)
        if not alive:
            return
        texts = [item.reading for item, _ in alive]
        numbers = None if choices.numbers is None else [choices.numbers[number] for _, number in alive]
        delta = DELTA if column == "50k" else None
        if alive[0][0].log_probs is None:
            found = self._by_scores(alive, texts, numbers, delta, lexicon, test_set)
        else:
            log_probs, lengths = fold(*stack([item.log_probs for item, _ in alive]), self.subject.symbols)
            if numbers is not None:
                found = lexicon.decode_among(log_probs, lengths, numbers)
            else:
                found = lexicon.decode(log_probs, lengths, delta, texts=texts)
        for (item, _), reading in zip(alive, found):
            item.chosen[column] = reading

    def _by_scores(self, alive, texts, numbers, delta, lexicon: Lexicon, test_set: TestSet) -> list[LexiconReading]:
        """The choice of a decoder: it scores given words itself."""
        if numbers is None and delta is None and len(lexicon) > MOST_SCORED:
            raise Unserved(f"a decoder would have to score {len(lexicon)} words for each image; use the 50k column")
        images = [test_set.reader[item.index].image for item, _ in alive]

        def score(rows, words):
            return self.subject.score(images, rows, words)

        return lexicon.choose(texts, score, delta) if numbers is None else lexicon.choose_among(numbers, score)

    def _lexicon_figures(self, column: str, items: list[Item], choices: Choices) -> dict:
        inside = [choices.holds(i, item.truth) for i, item in enumerate(items)]
        counted = [item for item, known in zip(items, inside) if known or not self._removes(column)]
        if not counted:
            raise Unserved("the lexicon holds not one of the labels")
        scores = figures([item.answer(column) for item in counted], counted)
        scores["outside"] = 100.0 * (1.0 - sum(inside) / len(items))
        scores["fallbacks"] = sum(not item.chosen[column].within for item in counted)
        scores["lexicon"] = {"source": choices.source, "words": len(choices.words)}
        if self._removes(column):
            scores["removed"] = len(items) - len(counted)
        return scores

    def _removes(self, column: str) -> bool:
        return self.protocol.remove_outside and column.startswith("50k")


MOST_SCORED = 2000
"""A decoder scores at most so many words for each image."""


def stack(log_probs: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Per-image (T_i, K) as one (T, N, K) and lengths (N,)."""
    lengths = np.array([len(one) for one in log_probs])
    stacked = np.zeros((int(lengths.max()), len(log_probs), log_probs[0].shape[1]), dtype=np.float32)
    for i, one in enumerate(log_probs):
        stacked[: len(one), i] = one
    return stacked, lengths


def figures(answers: list[str], items: list[Item]) -> dict:
    """{"n", "accuracy", "ned", "cer", "interval"} of answers; an unreadable image is wrong whatever its label."""
    counts = metrics.count(answers, [item.truth for item in items])
    for i, item in enumerate(items):
        if not item.readable:
            counts.exact[i], counts.edits[i], counts.lengths[i], counts.longest[i] = False, 1, 1, 1
    return {
        "n": len(items),
        "accuracy": metrics.accuracy(counts),
        "ned": metrics.ned(counts),
        "cer": metrics.error_rate(counts),
        "interval": {name: list(ends) for name, ends in metrics.bootstrap(counts).items()},
    }
