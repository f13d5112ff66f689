"""Trains what a recogniser knows of language, without pictures: the corrector of a configuration that has one.

Without --train words are written as `train` renders them, by the configuration's recipe. --train and --val take lists:
one word a line, or a word and its count, a Hunspell dictionary (X.dic), running text, whose words are counted, or
`english` or `signs`, the lists that ship; LIST:SHARE weighs one against the others. The run folder is that of `train`.

  python -m crnn_jt train-language --config abinet-light --out runs/english --minutes 60
  python -m crnn_jt train-language --config abinet-light --train english:0.6 signs:0.4 --out runs/signs
  python -m crnn_jt train-language --config abinet-light --init runs/vision/best.safetensors --out runs/both
  python -m crnn_jt train --config abinet-light --init runs/both/best.safetensors --out runs/joint

The last two begin with vision's weights, keep them beside those of language, and train all of it together.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from crnn_jt.options import add_training_arguments, read_config, read_options
from crnn_jt.spec import Config, StageSpec
from crnn_jt.training import VALIDATION_SEED, assemble, train_to_end
from data_tools.sample import Reader

EPOCH, VALIDATION = 2**20, 2000
"""Words of a pass over lists, and of a validation."""

add_arguments = add_training_arguments


def run(args) -> None:
    """Builds everything the options name and trains; Ctrl-C and SIGTERM end it with a checkpoint."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    config = read_config(args)
    if config.task is None or config.task.name != "language":
        config = replace(config, task=StageSpec("language"))
    data, seed = config.data, config.train.seed
    train = open_texts(config, data.train, seed, EPOCH)
    val = open_texts(config, data.val or data.train, seed + VALIDATION_SEED, VALIDATION)
    train_to_end(assemble(config, read_options(args), train, val))


def open_texts(config: Config, lists: tuple[str, ...], seed: int, size: int) -> Reader:
    """`size` words drawn from lists, or written by the configuration's recipe. Raises UserError."""
    from crnn_jt.sources import read_recipe
    from data_tools.words.language import build_language
    from data_tools.words.written import DrawnWords, WrittenWords

    if lists:
        return DrawnWords(seed, size, build_language("lists", list(lists)))
    recipe = config.data.recipe if config.data.kind == "words" else {}
    return WrittenWords(seed, size, read_recipe("words", recipe, "data.recipe"))
