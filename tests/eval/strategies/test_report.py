"""What a table says: changes beside what chance does, and the paper's beside ours."""

from __future__ import annotations

import json

import pytest

from eval.strategies import report
from eval.strategies.bench import Outcome, compare, is_difference, widest_spread
from eval.strategies.tables import find_table

TABLE = find_table(12)


def outcome(row: str, seed: int, score: float) -> Outcome:
    return Outcome(row, seed, score, {"SVT": score / 2}, 250_000, 12_000_000, 3.25, 640, 100.0)


SCORES = {("S1", 0): 50.0, ("S1", 1): 52.0, ("S2", 0): 52.0, ("S2", 1): 53.0, ("S4", 0): 60.0, ("S4", 1): 61.0}
OUTCOMES = [outcome(row, seed, score) for (row, seed), score in SCORES.items()]


def test_a_change_within_the_spread_is_no_difference():
    """Two seeds of S1 differ by 2 points, so 1.5 points of S2 are nothing, and 8 of S4 something."""
    results = compare(TABLE, OUTCOMES)
    assert widest_spread(results) == 2 and [result.change for result in results] == [None, 1.5, 8.0]
    assert [is_difference(result, 2.0) for result in results] == [None, False, True]
    head, *rows = report.make_rows(TABLE, results)
    cells = [dict(zip(head, row)) for row in rows]
    assert [each["change"] for each in cells] == ["-", "no difference", "+8.00"]
    assert [each["published"] for each in cells] == ["51.93", "55.05", "61.79"]
    assert [each["its change"] for each in cells] == ["-", "+3.12", "+6.74"]
    assert (cells[0]["accuracy"], cells[0]["SVT"], cells[0]["MB"], cells[0]["CPU ms"]) == (
        "51.00",
        "25.5",
        "1.00",
        "3.2",
    )
    text = report.format_table(TABLE, results, "640 samples each")
    assert "Spread over 2 seeds: 2.00 points" in text and "from the row before; 640 samples each." in text


def test_with_one_seed_nobody_can_say():
    results = compare(TABLE, [one for one in OUTCOMES if one.seed == 0])
    assert widest_spread(results) is None and is_difference(results[1], None) is None
    assert "nobody can say" in report.describe(TABLE, results, "x")
    assert report.make_rows(TABLE, results)[2][3:5] == ["-", "+2.00"]


def test_rows_of_other_tables_are_compared_with_the_first():
    table = find_table(11)
    results = compare(table, [outcome("256", 0, 50.0), outcome("96", 0, 51.0), outcome("48", 0, 49.0)])
    assert [result.change for result in results] == [None, 1.0, -1.0]
    assert [row[-3] for row in report.make_rows(table, results)[1:]] == ["-", "+1.17", "+0.25"]


def test_what_is_written_can_be_read_again(tmp_path):
    results = compare(TABLE, OUTCOMES)
    document = json.loads(report.format_json(TABLE, OUTCOMES, results, {"root": ""}))
    assert [Outcome(**values) for values in document["outcomes"]] == OUTCOMES
    assert [row["difference"] for row in document["rows"]] == [None, False, True] and document["spread"] == 2
    markdown = report.format_document(TABLE, results, "x").splitlines()
    assert markdown[2].startswith("| row | what | accuracy | spread | change | SVT | MB |")
    for table, made in ((TABLE, results), (find_table(11), compare(find_table(11), [outcome("48", 0, 49.0)]))):
        report.plot(table, made, tmp_path / "plot.png")
        assert (tmp_path / "plot.png").stat().st_size > 5000
    assert report.format_tables().count("\n") > 40 and "S7  TIA" in report.format_tables()


@pytest.mark.parametrize("score, expected", [(None, "-"), (4.6, "4.6"), (23, "23"), (17.27, "17.27")])
def test_published_numbers_stand_as_published(score, expected):
    assert report._number(score) == expected
