"""Tables that people read: columns must stand under their heads whatever is in them."""

from eval.columns import align, format_markdown


def test_columns_are_as_wide_as_their_widest_cell():
    assert align([["", "a"], ["name", "12.5"], ["x", "3"]]) == ["         a", "name  12.5", "x        3"]
    assert align([["a", "b", "c"]], "lrl", (3, 2)) == ["a     b  c"]


def test_a_note_runs_on_and_widens_no_column():
    rows = [["name", "a", "b"], ["left", "out: no such file"], ["x", "1", "2"]]
    assert align(rows) == ["name  a  b", "left  out: no such file", "x     1  2"]


def test_rows_printed_one_by_one_stand_aligned():
    lines = [align([row], least=(6, 4))[0] for row in (["a", "1"], ["abc", "1000"])]
    assert {len(line) for line in lines} == {12}


def test_markdown_has_its_ruler():
    assert format_markdown([["a", "b"], ["c", "1"]]) == "| a | b |\n| --- | ---: |\n| c | 1 |\n"
