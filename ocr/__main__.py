"""python -m ocr COMMAND, or crnn-ocr COMMAND: read photographs and documents, train and test what reads them."""

import sys

from data_tools import cli
from data_tools.cli import Command

COMMANDS = {
    "read": Command("ocr.commands.read", "read photographs and scans; write text, JSON, hOCR, a picture"),
    "train": Command("ocr.commands.train", "train a detector, or a classifier of direction"),
    "test": Command("ocr.commands.test", "measure what is found and read in photographs with known text"),
}


def main() -> int:
    """The room's command line, as `python -m ocr` and as the installed script; returns the exit code."""
    return cli.main("ocr", "Find and read text in photographs and documents.", COMMANDS)


if __name__ == "__main__":
    sys.exit(main())
