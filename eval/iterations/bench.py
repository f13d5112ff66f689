"""A recogniser with a corrector read after each iteration: what was right before it, what is right after it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from crnn_jt.iterations import iterate
from data_tools.errors import UserError
from eval.words.bench import Evaluation
from eval.words.protocols import get_protocol
from eval.words.results import Item
from eval.words.sets import TestSet
from eval.words.subject import Loaded, load
from eval.words.transcribe import Transcription


class AfterIteration(Loaded):
    """The readings after iteration `number` of the corrector; 0: vision alone."""

    def __init__(self, loaded: Loaded, number: int):
        super().__init__(loaded.reader)
        self.number = number

    def read(self, images: list[Image.Image]) -> list[Transcription]:
        """As `Subject.read`."""
        found: list[Transcription] = [Transcription("", 0.0)] * len(images)
        recognizer = self.reader.recognizer
        for rows, batch in self._make_batches(images):
            log_probs, lengths = iterate(recognizer, batch, np.full(len(batch), batch.shape[3]))
            for row, reading in zip(rows, recognizer.generator.decode(log_probs[self.number], lengths)):
                found[row] = Transcription(self.reader.tokenizer.decode(reading.indices), reading.confidence)
        return found


@dataclass(frozen=True)
class Word:
    """A picture of a set that counts: its label, and what was read after 0, 1 … iterations (0-9a-z)."""

    set_name: str
    index: int
    key: str
    truth: str
    readings: tuple[str, ...]

    @property
    def changed(self) -> bool:
        """Whether language made something else of it than vision had."""
        return self.readings[0] != self.readings[-1]


@dataclass(frozen=True)
class Result:
    """A set: the scores after 0, 1 … iterations, and its words."""

    name: str
    scores: list[dict]
    words: list[Word]

    @property
    def mended(self) -> int:
        """How many words vision had wrong and language right."""
        return sum(word.changed and word.readings[-1] == word.truth for word in self.words)

    @property
    def spoilt(self) -> int:
        """How many words vision had right and language wrong."""
        return sum(word.changed and word.readings[0] == word.truth for word in self.words)


def measure(weights: str, protocol: str, sets: list[TestSet], problems: list[str]) -> list[Result]:
    """Each set after each iteration. A line for what could not be used goes to `problems`, once. Raises UserError for a
    model without a corrector.
    """
    loaded = load(weights)
    corrector = loaded.reader.recognizer.corrector
    if corrector is None:
        raise UserError(f"--weights {weights}: has no corrector; there are no iterations to be compared")
    subjects = [AfterIteration(loaded, number) for number in range(corrector.iterations + 1)]
    evaluations = [Evaluation(subject, get_protocol(protocol), ["none"], None) for subject in subjects]
    results = [_join(test_set.name, [one.run(test_set) for one in evaluations]) for test_set in sets]
    problems += evaluations[0].problems
    return results


def _join(name: str, runs: list) -> Result:
    items: Iterator[tuple[Item, ...]] = zip(*(run.items for run in runs))
    words = [Word(name, own[0].index, own[0].key, own[0].truth, tuple(item.reading for item in own)) for own in items]
    return Result(name, [run.scores["none"] for run in runs], words)


def choose_words(results: list[Result], count: int) -> list[Word]:
    """`count` of the words that language changed, from all over the sets, as they come and not for what they show."""
    changed = [word for result in results for word in result.words if word.changed]
    places = np.linspace(0, len(changed) - 1, min(count, len(changed))).round().astype(int)
    return [changed[place] for place in places]
