"""A wrong value ends in one line that names it and says what it takes; a right one passes."""

import pytest

from data_tools.checks import check_at_least, check_one_of, check_range, check_whole
from data_tools.errors import UserError

NAN = float("nan")


def test_right_values_pass():
    check_at_least("n", 1, 1), check_range("share", 0.5, 0, 1), check_range("share", 1, 0, 1)
    check_whole("n", 20, 1, 20), check_whole("n", 10**9, 0), check_one_of("look", "plain", ("plain", "varied"))


@pytest.mark.parametrize(
    ("check", "value", "takes", "message"),
    [
        (check_at_least, 0, (1,), "x is 0; it must be at least 1"),
        (check_at_least, NAN, (1,), "x is nan; it must be at least 1"),
        (check_range, 1.5, (0, 1), "x is 1.5; it must be a number from 0 to 1"),
        (check_range, NAN, (0, 1), "x is nan; it must be a number from 0 to 1"),
        (check_range, "much", (0, 1), "x is 'much'; it must be a number from 0 to 1"),
        (check_whole, 0, (1, 20), "x is 0; it must be a whole number from 1 to 20"),
        (check_whole, 2.0, (1,), "x is 2.0; it must be a whole number of at least 1"),
        (check_whole, True, (0,), "x is True; it must be a whole number of at least 0"),
        (check_one_of, "odd", ("a", "b"), "x is 'odd'; it must be one of a, b"),
    ],
)
def test_wrong_values_are_named(check, value, takes, message):
    with pytest.raises(UserError) as raised:
        check("x", value, *([takes] if check is check_one_of else takes))
    assert str(raised.value) == message
