"""Scores over a whole set: what a published number rests on."""

from __future__ import annotations

import pytest

from crnn_jt.decoding.ctc import Reading
from crnn_jt.evaluation import evaluate
from crnn_jt.models import transform_of
from crnn_jt.tokenizer import Tokenizer
from data_tools.errors import UserError
from data_tools.loader import text_loader
from tests.crnn_jt import tiny


def scores(data, answers, size=4):
    spec = tiny.model()
    tokenizer = Tokenizer(spec.labels)
    left = iter(answers)

    def readings(images, widths):
        return [Reading(tuple(tokenizer.encode(next(left))), 1.0) for _ in range(len(images))]

    return evaluate(text_loader(data, transform_of(spec), size, accept=tokenizer.accept), readings, tokenizer)


@pytest.mark.parametrize("size", [1, 4, 5, 7])
def test_every_sample_counts_once_in_batches_of_any_size(size):
    """The original code divided 21 batches by 20; here n is n, and one wrong word of seven is 1/7."""
    truths = [tiny.word(n) for n in range(7)]
    found, wrong = scores(tiny.DrawnWords(7), ["", *truths[1:]], size)
    assert found["n"] == 7 and found["accuracy"] == pytest.approx(600 / 7)
    assert found["cer"] == pytest.approx(100 * len(truths[0]) / sum(map(len, truths)))
    assert (
        [str(one) for one in wrong] == [f"{truths[0]!r} read ''"]
        and wrong[0].picture.height == 32
        and "skipped" not in found
    )


def test_what_cannot_be_used_is_counted_apart():
    """Corrupt pictures and refused labels are no wrong readings, and are not hidden."""
    data = tiny.DrawnWords(12, {3: None, 5: "??"})
    truths = [tiny.word(n) for n in range(12) if n not in (3, 5)]
    found, _ = scores(data, truths)
    assert (found["n"], found["accuracy"], found["skipped"]) == (10, 100.0, 2)


def test_a_set_without_one_usable_sample_is_a_mistake():
    """0 of 0 is no score."""
    with pytest.raises(UserError, match="not one of 4 samples can be used"):
        scores(tiny.DrawnWords(4, dict.fromkeys(range(4), "??")), [])
