"""What was read of a set, and the figures of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from crnn_jt import metrics
from crnn_jt.decoding.lexicon import LexiconReading
from eval.words.choices import Choices, Unserved


@dataclass(frozen=True)
class Item:
    """One image that counts: its place, its label (`truth`) and reading, normalised, and the words chosen by column.

    An image that cannot be opened is not `readable`: its reading is empty, and it counts as wrong.
    """

    index: int
    key: str
    truth: str
    reading: str = ""
    confidence: float = 0.0
    readable: bool = True
    chosen: Mapping[str, LexiconReading] = field(default_factory=dict)

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


def score_column(items: list[Item], column: str) -> dict:
    """{"n", "accuracy", "ned", "cer", "interval"} of a column's answers; an unreadable image is wrong in any case."""
    counts = metrics.count([item.answer(column) for item in items], [item.truth for item in items])
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


def score_confidence(items: list[Item]) -> dict:
    """{"calibration_error", "confidence_power"}: how far the lexicon-free confidence can be trusted."""
    right = [item.readable and item.reading == item.truth for item in items]
    confidences = [item.confidence for item in items]
    return {
        "calibration_error": metrics.expected_calibration_error(confidences, right),
        "confidence_power": metrics.confidence_power(confidences, right),
    }


def score_choices(items: list[Item], column: str, choices: Choices, removes: bool) -> dict:
    """Figures of a lexicon column: those of its answers, "outside" (labels that the lexicon lacks, %), "fallbacks"
    (images without a word that qualified) and "lexicon". With `removes` the labels outside do not count ("removed").

    Raises Unserved where none counts.
    """
    inside = [choices.holds(place, item.truth) for place, item in enumerate(items)]
    counted = [item for item, known in zip(items, inside) if known or not removes]
    if not counted:
        raise Unserved("the lexicon holds not one of the labels")
    scores = score_column(counted, column)
    scores["outside"] = 100.0 * (1.0 - sum(inside) / len(items))
    scores["fallbacks"] = sum(not item.chosen[column].within for item in counted)
    scores["lexicon"] = {"source": choices.source, "words": len(choices.words)}
    if removes:
        scores["removed"] = len(items) - len(counted)
    return scores
