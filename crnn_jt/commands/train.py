"""Trains a model: a configuration names its stages and how it learns; data sets (LMDB, folders, MJSynth) or words
rendered on the fly are what it learns from. The run folder holds checkpoint, best and last weights, metrics.jsonl and
curves.png; --resume continues exactly where the checkpoint stands, as the run was begun.

  python -m crnn_jt train --config crnn-light --out runs/first --minutes 60
  python -m crnn_jt train --config crnn --train data/MJ --val data/IIIT5K --out runs/mj
  python -m crnn_jt train --config abinet-light --init runs/joint/best.safetensors --unlabelled photos/ --out runs/more
  python -m crnn_jt train --out runs/first --resume
  mpirun -np 2 python -m crnn_jt train --config crnn-light --out runs/two

--unlabelled: pictures without labels (folders, LMDBs; labels are not looked at), a batch of them and a labelled one in
turn. What the model reads of them with --certainty is their label until they are read again, --label-every steps later.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from crnn_jt.options import add_training_arguments, read_config, read_options
from crnn_jt.spec import Config, StageSpec
from crnn_jt.training import assemble, train_to_end
from data_tools.errors import UserError

SELF_TRAINING = {"unlabelled": "unlabelled", "certainty": "certainty", "label_every": "every"}
"""Options of the command line and what the task `self_training` calls them."""


def add_arguments(parser) -> None:
    """The options of every training, and those of self-training."""
    add_training_arguments(parser)
    parser.add_argument("--unlabelled", type=str, nargs="+", default=[], help="pictures to learn from without labels")
    parser.add_argument("--certainty", type=float, help="of a reading that becomes a label (0.9)")
    parser.add_argument("--label-every", type=int, help="steps after which they are read anew (2000)")


def run(args) -> None:
    """Builds everything the options name and trains; Ctrl-C and SIGTERM end it with a checkpoint."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    train_to_end(assemble(learn_unlabelled(read_config(args), args), read_options(args)))


def learn_unlabelled(config: Config, args) -> Config:
    """The configuration with the unlabelled pictures that the options name; a resumed run keeps its own. Raises
    UserError.
    """
    given = {name: getattr(args, name) for name in SELF_TRAINING if getattr(args, name) not in (None, [])}
    if not given:
        return config
    task = config.task or StageSpec("recognition")
    if args.resume:
        for name, value in given.items():
            if task.options.get(SELF_TRAINING[name]) != value:
                raise UserError(
                    f"--resume: {args.out} was not begun with {_option(name)} {value}; leave the option out"
                )
        return config
    if "unlabelled" not in given:
        raise UserError(f"{_option(next(iter(given)))}: is for --unlabelled, which names no pictures")
    if config.model.kind != "recognizer" or task.name != "recognition":
        what = config.model.kind if config.model.kind != "recognizer" else f"task {task.name}"
        raise UserError(f"--unlabelled: {config.model.name} is a {what}; it takes a recogniser that learns to read")
    options = {SELF_TRAINING[name]: value for name, value in given.items()}
    return replace(config, task=StageSpec("self_training", {**task.options, **options}))


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
