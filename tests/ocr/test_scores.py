"""How photographs are judged: what counts, what does not, and what a set cannot tell."""

from __future__ import annotations

import numpy as np
import pytest

from data_tools.sample import CorruptSample, Region, Sample
from ocr import Line, Page, Word
from ocr.scores import Scores, judge, measure


def box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return np.float32([[left, top], [right, top], [right, bottom], [left, bottom]])


def page_of(*lines: list[tuple[str, np.ndarray]]) -> Page:
    """A page whose lines are words with their quads, level and from left to right."""
    made = []
    for words in lines:
        own = tuple(Word(text, 0.9, quad) for text, quad in words)
        points = np.concatenate([quad for _, quad in words])
        quad = box(*points.min(0), *points.max(0))
        made.append(Line(" ".join(text for text, _ in words), 0.9, quad, quad, own))
    return Page(200, 100, tuple(made))


ONE, TWO, THREE = box(0, 0, 40, 10), box(50, 0, 90, 10), box(0, 40, 40, 50)
TRUTHS = [Region(ONE, "Exit,"), Region(TWO, "now"), Region(THREE, "###", False)]


def test_what_lies_in_a_region_that_is_not_judged_is_no_false_alarm():
    """Neither as a region nor as a word."""
    scores = Scores()
    judged = scores.add(page_of([("EXIT", ONE), ("new", TWO)], [("blur", THREE)]), TRUTHS)
    values = scores.values()
    assert values["detection"] == {"recall": 100.0, "precision": 100.0, "hmean": 100.0} == values["deteval"]
    assert values["end_to_end"]["none"]["hmean"] == 50.0 and judged.right == {0}
    assert values["words"] == {"recall": 50.0, "precision": 50.0, "f1": 50.0}
    assert values["cer"] == pytest.approx(100 * 1 / 8), "exit new for exit now"


def test_a_page_read_with_a_lexicon_has_a_column_of_its_own():
    scores = Scores()
    scores.add(page_of([("Exit", ONE), ("new", TWO)]), TRUTHS, {"S": page_of([("exit", ONE), ("now", TWO)])})
    ends = scores.values()["end_to_end"]
    assert (ends["none"]["hmean"], ends["S"]["hmean"]) == (50.0, 100.0)


def test_sets_of_lines_are_compared_with_lines():
    page, line = page_of([("Exit", ONE), ("now", TWO)]), [Region(box(0, 0, 90, 10), "exit now")]
    assert judge(page, line, "lines").right == {0} and not judge(page, line).right
    scores = Scores("lines")
    scores.add(page, line)
    assert scores.values()["words"]["f1"] == 100.0


def test_a_set_that_is_annotated_in_part_tells_recall_alone():
    """Its other words are no false alarms."""
    scores = Scores(partial=True)
    scores.add(page_of([("exit", ONE), ("more", TWO)]), TRUTHS[:1])
    values = scores.values()
    assert values["detection"] == {"recall": 100.0, "precision": None, "hmean": None}
    assert values["words"] == {"recall": 100.0, "precision": None, "f1": None} and values["cer"] is None
    assert values["end_to_end"]["none"] == {"recall": 100.0, "precision": None, "hmean": None}


def test_a_set_without_texts_tells_detection_alone():
    """MSRA-TD500 says where text is, not what it is."""
    scores = Scores("lines")
    scores.add(page_of([("exit", ONE)]), [Region(ONE, "?")])
    values = scores.values()
    assert values["detection"]["hmean"] == 100.0
    assert values["words"]["f1"] is None and values["end_to_end"]["none"]["hmean"] is None and values["cer"] is None


class Photographs:
    """Two photographs, and one that does not open."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Sample:
        if index == 1:
            raise CorruptSample("1.jpg", "the image is empty")
        return Sample(index, "", f"{index}.jpg", {"lexicon": "now"}, regions=tuple(TRUTHS))


class Stand:
    """Reads what is there, the second word wrong but with a lexicon."""

    def read(self, picture, lexicon=None) -> Page:
        return page_of([("exit", ONE), (lexicon or "nom", TWO)])


def test_where_texts_are_unknown_nothing_is_read():
    """What a recogniser cannot read, another script say, is found all the same."""

    class Silent(Photographs):
        def __getitem__(self, index: int) -> Sample:
            return Sample(index, "", f"{index}.jpg", regions=(Region(ONE, "?"), Region(TWO, "###", False)))

    class Finds:
        def find(self, picture) -> Page:
            return page_of([("", ONE)])

    assert measure(Finds(), Silent(), Scores("lines")).values()["detection"]["hmean"] == 100.0


def test_a_photograph_that_does_not_open_is_counted_and_named(caplog):
    measured = measure(Stand(), Photographs(), Scores(), {"S": lambda sample: sample.extra["lexicon"]})
    values = measured.values()
    assert (values["n"], values["skipped"]) == (2, 1) and "1.jpg: the image is empty" in caplog.text
    assert (values["end_to_end"]["none"]["recall"], values["end_to_end"]["S"]["recall"]) == (50.0, 100.0)
    assert [(index, key) for index, key, _ in measured.photographs] == [(0, "0.jpg"), (2, "2.jpg")]
    assert measure(Stand(), Photographs(), Scores(), limit=1).values()["n"] == 1
