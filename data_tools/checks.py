"""Checks of values that a user gives. Each raises a UserError of one line: the value's name, what it is, what it takes.

`name` is the value as the user knows it: `batch_size`, `--workers`, `recipe: light`.
"""

from __future__ import annotations

from collections.abc import Collection

from data_tools.errors import UserError


def check_at_least(name: str, value: float, least: float) -> None:
    """A number not smaller than `least`."""
    if not value >= least:  # so that NaN is refused too
        raise UserError(f"{name} is {value}; it must be at least {least}")


def check_whole(name: str, value: object, low: int, high: int | None = None) -> None:
    """A whole number of at least `low`, and of at most `high` if there is one."""
    if not isinstance(value, int) or isinstance(value, bool) or value < low or (high is not None and value > high):
        span = f"from {low} to {high}" if high is not None else f"of at least {low}"
        raise UserError(f"{name} is {value!r}; it must be a whole number {span}")


def check_range(name: str, value: float, low: float, high: float) -> None:
    """A number from `low` to `high`, both included."""
    if not isinstance(value, int | float) or not low <= value <= high:
        raise UserError(f"{name} is {value!r}; it must be a number from {low} to {high}")


def check_one_of(name: str, value: object, known: Collection) -> None:
    """One of `known`."""
    if value not in known:
        raise UserError(f"{name} is {value!r}; it must be one of {', '.join(map(str, known))}")
