"""python -m data_tools COMMAND, or crnn-data COMMAND: make and look at training data."""

import sys

from data_tools import cli
from data_tools.cli import Command

COMMANDS = {
    "words": Command("data_tools.commands.words", "render images of words or lines into an LMDB"),
    "fonts": Command("data_tools.commands.fonts", "list the usable fonts, or fetch open font families"),
    "scores": Command("data_tools.commands.scores", "engrave one-staff scores in PrIMuS's layout"),
    "scenes": Command("data_tools.commands.scenes", "render photographs and documents with text"),
    "crops": Command("data_tools.commands.crops", "cut the words or lines out of photographs"),
    "lmdb": Command("data_tools.commands.lmdb", "turn any data set into an LMDB, or an LMDB into files"),
    "lexicon": Command("data_tools.commands.lexicon", "make lexicons from dictionaries, word lists or labels"),
    "language": Command("data_tools.commands.language", "make a language for reading from word lists"),
    "inspect": Command("data_tools.commands.inspect", "count and look at a data set"),
}


def main() -> int:
    """The room's command line, as `python -m data_tools` and as the installed script; returns the exit code."""
    return cli.main("data_tools", "Make, convert and look at training data.", COMMANDS)


if __name__ == "__main__":
    sys.exit(main())
