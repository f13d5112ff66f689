"""python -m omr COMMAND, or crnn-omr COMMAND: read printed music, train and test its models."""

import sys

from data_tools import cli
from data_tools.cli import Command

COMMANDS = {
    "read": Command("omr.commands.read", "read scans and photos of staves; write MusicXML, MIDI, a picture"),
    "train": Command("omr.commands.train", "train a model of scores"),
    "test": Command("omr.commands.test", "measure a model: sequence accuracy, symbol error rate, errors by kind"),
}


def main() -> int:
    """The room's command line, as `python -m omr` and as the installed script; returns the exit code."""
    return cli.main("omr", "Read printed music, one staff or a page of them.", COMMANDS)


if __name__ == "__main__":
    sys.exit(main())
