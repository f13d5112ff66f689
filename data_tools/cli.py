"""What the rooms' command lines share: a table of commands, one-line errors, exit codes.

A command is a module with `add_arguments(parser)` and `run(args) -> int | None`; its docstring is its `--help`.
It is imported only when it is asked for, so `--help` of a room and the start of a light command stay quick.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module

from data_tools.errors import UserError


@dataclass(frozen=True)
class Command:
    """Where a command's module is, and its line in the room's help."""

    module: str
    summary: str


def main(room: str, description: str, commands: dict[str, Command], argv: list[str] | None = None) -> int:
    """Runs `python -m {room} COMMAND …`; returns the exit code: 0, 2 for a user's mistake, 130 when interrupted."""
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in ("-h", "--help"):
        print(_overview(room, description, commands))
        return 0 if argv else 2
    name, rest = argv[0], argv[1:]
    try:
        if name not in commands:
            raise UserError(f"{name}: no such command; there are: {', '.join(commands)}")
        return _run(f"python -m {room} {name}", import_module(commands[name].module), rest) or 0
    except UserError as error:
        print(f"{room} {name}: {error}".replace("\n", " "), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{room} {name}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0


def _overview(room: str, description: str, commands: dict[str, Command]) -> str:
    width = max(map(len, commands))
    lines = [f"  {name:<{width}}  {command.summary}" for name, command in commands.items()]
    usage = f"usage: python -m {room} COMMAND …   (python -m {room} COMMAND --help says more)"
    return "\n".join([usage, "", description, "", *lines])


def _run(prog: str, module, argv: list[str]) -> int | None:
    from jsonargparse import ArgumentError, ArgumentParser, DefaultHelpFormatter

    class AsWritten(DefaultHelpFormatter):
        """Keeps the lines of a command's docstring, its examples above all."""

        def _fill_text(self, text: str, width: int, indent: str) -> str:
            return text.strip()

    parser = ArgumentParser(prog=prog, description=module.__doc__, exit_on_error=False, formatter_class=AsWritten)
    module.add_arguments(parser)
    try:
        args = parser.parse_args(argv)
    except ArgumentError as error:
        raise UserError(f"{' '.join(str(error).split())} (see {prog} --help)") from error
    return module.run(args)
