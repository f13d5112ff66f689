"""What the options of several benches have in common."""

from __future__ import annotations

from data_tools.errors import UserError


def at_least(least: int, **values: float) -> None:
    """Raises UserError naming the first option whose value is smaller than `least`."""
    for name, value in values.items():
        if value < least:
            raise UserError(f"--{name.replace('_', '-')} {value}: it takes {least} or more")


def numbers(option: str, text: str, least: int = 1) -> tuple[int, ...]:
    """The whole numbers of "1,64", ascending, each once. Raises UserError."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) >= least for part in parts):
        raise UserError(f"{option} {text}: it takes whole numbers of {least} or more separated by commas, such as 1,64")
    return tuple(sorted({int(part) for part in parts}))
