"""What the rooms' command lines share: a table of commands, one-line errors, exit codes.

A command is a module with `add_arguments(parser)` and `run(args) -> int | None`; its docstring is its `--help`. It is
imported only when it is asked for, so `--help` of a room and the start of a light command stay quick. A room is started
as `python -m ROOM` or, where the project is installed, by its script (`crnn-jt`, `crnn-omr`, `crnn-data`); usage and
errors name the one that the user typed.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from data_tools.errors import UserError
from data_tools.text import on_one_line


@dataclass(frozen=True)
class Command:
    """Where a command's module is, and its line in the room's help."""

    module: str
    summary: str


def main(room: str, description: str, commands: dict[str, Command], argv: list[str] | None = None) -> int:
    """Runs a room's command line, by default this process's.

    Returns the exit code: what the command returns, else 0; 2 for a user's mistake, 130 when interrupted.
    """
    argv = sys.argv[1:] if argv is None else argv
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name that the terminal cannot write ends no run
    script = _script_name()
    called, short = script or f"python -m {room}", script or room
    name, *rest = argv or ["--help"]
    try:
        if name in ("-h", "--help"):
            print(_overview(called, description, commands))
            return 0 if argv else 2
        if name not in commands:
            raise UserError(f"{name}: no such command; there are: {', '.join(commands)}")
        return _run(called, room, name, import_module(commands[name].module), rest) or 0
    except UserError as error:
        print(on_one_line(f"{short} {name}: {error}".replace("\n", " ")), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{short} {name}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0


def _script_name() -> str:
    """The installed script by which this process was started (`crnn-jt`, `crnn-omr`, …), else nothing."""
    name = Path(sys.argv[0]).name
    return name if name.startswith("crnn-") else ""


def _overview(called: str, description: str, commands: dict[str, Command]) -> str:
    width = max(map(len, commands))
    lines = [f"  {name:<{width}}  {command.summary}" for name, command in commands.items()]
    usage = f"usage: {called} COMMAND …   ({called} COMMAND --help says more)"
    return "\n".join([usage, "", description, "", *lines])


def _run(called: str, room: str, name: str, module, argv: list[str]) -> int | None:
    from jsonargparse import ArgumentError, ArgumentParser, DefaultHelpFormatter

    class AsWritten(DefaultHelpFormatter):
        """Keeps the lines of a command's docstring, its examples above all."""

        def _fill_text(self, text: str, width: int, indent: str) -> str:
            return text.strip()

    prog, description = f"{called} {name}", (module.__doc__ or "").replace(f"python -m {room} ", f"{called} ")
    parser = ArgumentParser(prog=prog, description=description, exit_on_error=False, formatter_class=AsWritten)
    module.add_arguments(parser)
    try:
        args = parser.parse_args(argv)
    except ArgumentError as error:
        raise UserError(f"{' '.join(str(error).split())} (see {prog} --help)") from error
    return module.run(args)
