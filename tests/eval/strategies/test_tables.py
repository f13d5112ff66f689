"""The tables: every row is a configuration that can be built, and differs from the others in what its name says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crnn_jt.models import construct
from crnn_jt.spec import Config, load_config
from data_tools.augmentations import NAMES
from data_tools.errors import UserError
from eval.strategies.bench import configure_row
from eval.strategies.tables import TABLES, Row, Table, choose_rows, find_table

ROWS = [(table, row) for table in TABLES for row in table.rows]


def configuration(table: Table, row: Row, steps: int = 1000) -> Config:
    config = load_config(table.config)
    return configure_row(replace(config, train=replace(config.train, steps=steps)), table, row, seed=3)


@pytest.mark.parametrize(("table", "row"), ROWS, ids=[f"{table.number}-{row.name}" for table, row in ROWS])
def test_every_row_is_a_configuration(table, row):
    """A row that cannot be built would be found out after hours of the rows before it."""
    config = configuration(table, row)
    assert config.train.seed == 3 and set(config.train.augmentations) <= set(NAMES)
    assert construct(config.model).spec == config.model


@pytest.mark.parametrize("table", TABLES, ids=lambda table: f"{table.number}, {table.title}")
def test_rows_differ(table):
    made = [configuration(table, row) for row in table.rows if not row.initialised]
    plain = [replace(each, model=replace(each.model, name="same")) for each in made]
    assert all(a != b for n, a in enumerate(plain) for b in plain[:n])
    assert len({row.name for row in table.rows}) == len(table.rows)


def test_strategies_are_added_one_by_one():
    """Table 12, the nine strategies' heart."""
    one, two, three, four, five, six, seven, eight = (configuration(find_table(12), row) for row in find_table(12).rows)
    assert not one.train.augment and (one.train.schedule, one.train.warmup, one.train.weight_decay) == (
        "constant",
        0,
        0,
    )
    assert two == replace(
        one,
        train=replace(one.train, augment=True, augmentations=("bda",)),
        model=replace(one.model, name="table-12-S2"),
    )
    assert (two.train.schedule, three.train.schedule) == ("constant", "cosine")
    strides = [each.model.extractor.options["second_stride"] for each in (three, four)]
    assert strides == [2, 1] and (four.train.weight_decay, five.train.weight_decay) == (0, 1e-5)
    assert (five.train.warmup, six.train.warmup) == (0, 50) and six.train.augmentations == ("bda",)
    assert seven.train.augmentations == ("bda", "tia") and seven.train == eight.train


def test_published_figures_are_those_of_the_paper():
    published = [row.published.score for row in find_table(12).rows]
    assert published == [51.93, 55.05, 56.52, 61.79, 65.19, 65.81, 66.70, 69.00]
    assert [(row.name, row.published.megabytes) for row in find_table(11).rows][::3] == [("256", 23), ("48", 4.6)]


def test_tables_and_rows_are_found_or_named():
    assert find_table(15).config == "ppocr" and find_table(15, "detector").config == "db"
    assert [row.name for row in choose_rows(find_table(12), ["S7", "S1"])] == ["S1", "S7"]
    for ask, message in (
        (lambda: find_table(13), "--table 13: there are: 3, 5, 7, 8, 9, 10, 11, 12, 15"),
        (lambda: find_table(15, "direction"), "--part direction: table 15 is of light and large recognisers and of"),
        (lambda: choose_rows(find_table(12), ["S9"]), "--rows S9: table 12 has: S1, S2"),
    ):
        with pytest.raises(UserError, match=message):
            ask()
