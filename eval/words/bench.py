"""Test sets by a protocol: every image is read once, then all lexicon columns are filled from what was read."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np

from crnn_jt.decoding.lexicon import Lexicon, LexiconReading
from data_tools.errors import UserError
from data_tools.lexicons import SEED
from eval.words.choices import Choices, Unserved, assign_lexicons, open_dictionary, take_labels
from eval.words.choosing import NO_WORD, Column, choose_by_scores, choose_by_steps
from eval.words.folding import fold_symbols
from eval.words.protocols import DICTIONARY_LIMITS, DRAWN, Protocol
from eval.words.results import Item, SetResult, score_choices, score_column, score_confidence
from eval.words.sets import TestSet
from eval.words.transcribe import Subject, make_batches, transcribe

logger = logging.getLogger(__name__)
Steps: TypeAlias = list[np.ndarray | None]
"""Log-probabilities (T, K) of each image; None where it cannot be read or the recogniser is a decoder."""


@dataclass(frozen=True)
class Dictionary:
    """The word list of the 50k columns, opened once for all sets; without one, the problem says why."""

    choices: Choices | None = None
    lexicon: Lexicon | None = None
    problem: str = ""

    def make_column(self, limit: int | None) -> Column:
        """The column that it serves. Raises Unserved."""
        if self.choices is None:
            raise Unserved(self.problem)
        return Column(self.choices, self.lexicon, limit)


def score_sets(weights: Path, sets: Sequence[TestSet]) -> dict[str, dict]:
    """The scores of a weights file on each set (0-9a-z, no lexicon), by name; problems go to the log. Raises
    UserError.
    """
    from eval.words.protocols import get_protocol
    from eval.words.subject import load

    evaluation = Evaluation(load(str(weights)), get_protocol("paper"), ["none"], None)
    found = {test_set.name: evaluation.run(test_set).scores["none"] for test_set in sets}
    for problem in evaluation.problems:
        logger.warning("%s", problem)
    return found


class Evaluation:
    """A protocol applied to one recogniser. `problems` gathers one line for each thing that could not be used."""

    def __init__(
        self, subject: Subject, protocol: Protocol, columns: list[str], dictionary: Path | None, seed: int = SEED
    ):
        self.subject, self.protocol, self.columns, self.seed = subject, protocol, columns, seed
        self.problems: list[str] = []
        self._dictionary = Dictionary()
        if DICTIONARY_LIMITS.keys() & set(columns):
            self._dictionary = self._open_dictionary(dictionary)

    def _open_dictionary(self, path: Path | None) -> Dictionary:
        try:
            choices = open_dictionary(path)
        except (Unserved, UserError) as error:
            self.problems.append(f"50k: {error}")
            return Dictionary(problem=str(error))
        lexicon = self._make_lexicon(choices)
        if lexicon.outside:
            count, first = len(lexicon.outside), lexicon.outside[0]
            self.problems.append(f"{choices.source}: {count} words are outside the character set, such as {first}")
        return Dictionary(choices, lexicon)

    def _make_lexicon(self, choices: Choices) -> Lexicon:
        return Lexicon(choices.words, fold_symbols(self.subject.symbols))

    def run(self, test_set: TestSet) -> SetResult:
        """Reads one set and fills its columns. Raises UserError where not one image has a label that counts."""
        keep_steps = self.columns != ["none"]
        items, steps = transcribe(self.subject, self.protocol, test_set, keep_steps, self.problems)
        if not items:
            raise UserError("no image has a label that counts")
        result = SetResult(test_set.name, items)
        for name in self.columns:
            try:
                self._fill(name, result, steps, test_set)
            except Unserved as why:
                result.left_out[name] = str(why)
        return result

    def _fill(self, name: str, result: SetResult, steps: Steps, test_set: TestSet) -> None:
        """Adds a column to the result: its figures, and the words that the items chose. Raises Unserved."""
        if name == "none":
            result.scores[name] = score_column(result.items, name) | score_confidence(result.items)
            return
        column = self._make_column(name, result.items, test_set)
        chosen = self._choose(column, result.items, steps, test_set)
        items = [replace(item, chosen={**item.chosen, name: word}) for item, word in zip(result.items, chosen)]
        result.scores[name] = score_choices(items, name, column.choices, self.protocol.removes_outside(name))
        result.items = items

    def _make_column(self, name: str, items: list[Item], test_set: TestSet) -> Column:
        """Raises Unserved where the set has no such lexicon, or one that the recogniser cannot write."""
        if name in DICTIONARY_LIMITS:
            return self._dictionary.make_column(DICTIONARY_LIMITS[name])
        labels = [item.truth for item in items]
        if name in DRAWN:
            keys = [item.key for item in items]
            choices = assign_lexicons(name, keys, labels, test_set.official.get(name), self.seed)
        else:
            choices = take_labels(labels)
        lexicon = self._make_lexicon(choices)
        if lexicon.outside:
            raise Unserved(f"{len(lexicon.outside)} of its words are outside the character set")
        return Column(choices, lexicon)

    def _choose(self, column: Column, items: list[Item], steps: Steps, test_set: TestSet) -> list[LexiconReading]:
        """The word of each item, a batch at a time."""
        chosen = [NO_WORD] * len(items)
        for part in make_batches(range(len(items))):
            places = [place for place in part if items[place].readable]
            if not places:
                continue
            texts = [items[place].reading for place in places]
            if steps[places[0]] is not None:
                known = [steps[place] for place in places]
                words = choose_by_steps(column, places, texts, known, self.subject.symbols)
            else:
                images = [test_set.reader[items[place].index].image for place in places]
                words = choose_by_scores(column, places, texts, partial(self.subject.score, images))
            for place, word in zip(places, words):
                chosen[place] = word
        return chosen
