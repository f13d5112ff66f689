"""python -m eval COMMAND: measure recognisers as the literature does. Every package here with a `command.py` is one."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from data_tools.cli import Command, main


def find_commands() -> dict[str, Command]:
    """The benches by name, with the first line of their packages' docstrings."""
    names = sorted(path.parent.name for path in Path(__file__).parent.glob("*/command.py"))
    return {name: Command(f"eval.{name}.command", _summarize(name)) for name in names}


def _summarize(name: str) -> str:
    return import_module(f"eval.{name}").__doc__.strip().splitlines()[0].rstrip(".")


COMMANDS = find_commands()

if __name__ == "__main__":
    sys.exit(main("eval", "Measure recognisers as the literature does.", COMMANDS))
