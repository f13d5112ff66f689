"""python -m data_tools COMMAND: make and look at training data."""

import sys

from data_tools.cli import Command, main

COMMANDS = {
    "words": Command("data_tools.commands.words", "render word images into an LMDB"),
    "fonts": Command("data_tools.commands.fonts", "list the usable fonts, or fetch open font families"),
    "scores": Command("data_tools.commands.scores", "engrave one-staff scores in PrIMuS's layout"),
    "lmdb": Command("data_tools.commands.lmdb", "turn any data set into an LMDB, or an LMDB into files"),
    "lexicon": Command("data_tools.commands.lexicon", "make lexicons from dictionaries, word lists or labels"),
    "inspect": Command("data_tools.commands.inspect", "count and look at a data set"),
}

if __name__ == "__main__":
    sys.exit(main("data_tools", "Make, convert and look at training data.", COMMANDS))
