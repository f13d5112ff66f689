"""How well scores are read: sequence accuracy, symbol error rate, and error rates by kind of symbol."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rapidfuzz.distance import Levenshtein

from crnn_jt.metrics import sequence_scores
from data_tools.music.semantic import kind

KINDS = ("pitch", "duration", "clef", "key", "meter", "barline", "rest", "multirest", "tie")


def features(symbol: str) -> dict[str, str]:
    """What a semantic symbol says, by kind: notes have a pitch and a duration, rests a duration and are rests."""
    name = kind(symbol)
    if name in ("note", "gracenote"):
        pitch, _, length = symbol.partition("-")[2].partition("_")
        return {"pitch": pitch, "duration": f"{name} {length}"}
    if name == "rest":
        return {"rest": "rest", "duration": symbol}
    return {name: symbol} if name in KINDS else {}


def errors_by_kind(
    readings: Sequence[Sequence[str]], references: Sequence[Sequence[str]]
) -> dict[str, dict[str, float]]:
    """{kind: {"n": in the references, "errors", "rate": errors in % of n}}; symbols are aligned by least edits.

    An error of a kind is one of its symbols read wrong, missing or invented: a note read with the right pitch and the
    wrong duration is an error of duration alone.
    """
    totals, errors = Counter(), Counter()
    for reading, reference in zip(readings, references):
        totals.update(name for symbol in reference for name in features(symbol))
        for edit in Levenshtein.editops(reference, reading):
            truth = features(reference[edit.src_pos]) if edit.tag != "insert" else {}
            found = features(reading[edit.dest_pos]) if edit.tag != "delete" else {}
            errors.update(name for name in truth.keys() | found.keys() if truth.get(name) != found.get(name))
    return {
        name: {"n": totals[name], "errors": errors[name], "rate": 100.0 * errors[name] / max(totals[name], 1)}
        for name in KINDS
        if totals[name] or errors[name]
    }


def scores(readings: Sequence[Sequence[str]], references: Sequence[Sequence[str]]) -> dict:
    """{"n", "sequence_accuracy", "ser", "kinds"}."""
    return {**sequence_scores(readings, references), "kinds": errors_by_kind(readings, references)}
