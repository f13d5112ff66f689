"""python -m crnn_jt COMMAND, or crnn-jt COMMAND: train, test and use text recognisers."""

import sys

from data_tools import cli
from data_tools.cli import Command

COMMANDS = {
    "read": Command("crnn_jt.commands.read", "read word images with a model"),
    "train": Command("crnn_jt.commands.train", "train a model, on data sets or on rendered words"),
    "train-language": Command("crnn_jt.commands.train_language", "train a corrector on texts, without pictures"),
    "search": Command("crnn_jt.commands.search", "search for a backbone: paths, then operations"),
    "compress": Command("crnn_jt.commands.compress", "make a model smaller: products in 8 bits, fewer filters"),
    "test": Command("crnn_jt.commands.test", "measure a model on labelled data"),
    "models": Command("crnn_jt.commands.models", "list the models that ship and the configurations"),
    "doctor": Command("crnn_jt.commands.doctor", "check compiler, oneDNN, CUDA, MPI, cache and versions"),
    "export": Command("crnn_jt.commands.export", "write a model as ONNX"),
    "pack": Command("crnn_jt.commands.pack", "make a weights file ready to ship: float16, with figures"),
    "import-weights": Command("crnn_jt.commands.import_weights", "bring in weights of published CRNN layouts"),
}


def main() -> int:
    """The room's command line, as `python -m crnn_jt` and as the installed script; returns the exit code."""
    return cli.main("crnn_jt", "Sequence recognition in images, on Jittor.", COMMANDS)


if __name__ == "__main__":
    sys.exit(main())
