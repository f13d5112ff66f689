"""What the options of several benches have in common."""

from __future__ import annotations

from data_tools.checks import check_at_least
from data_tools.errors import UserError


def require_at_least(least: int, **values: float) -> None:
    """Raises UserError naming the first option whose value is smaller than `least`."""
    for name, value in values.items():
        check_at_least(f"--{name.replace('_', '-')}", value, least)


def parse_numbers(option: str, text: str, least: int = 1) -> tuple[int, ...]:
    """The whole numbers of "1,64", ascending, each once. Raises UserError."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) >= least for part in parts):
        raise UserError(f"{option} {text}: it takes whole numbers of {least} or more separated by commas, such as 1,64")
    return tuple(sorted({int(part) for part in parts}))


def parse_names(text: str | None) -> list[str]:
    """The names of "vgg, light", in their order, empty ones left out."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]
