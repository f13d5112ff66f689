"""Trains a model of scores: `primus` (the Jittor report's), `primus-wide` (any width) or `omr-light` (for CPUs).

  python -m omr train --config omr-light --out runs/first --minutes 120                  scores rendered meanwhile
  python -m omr train --config primus --train Corpus --split train.txt --val Corpus --val-split test.txt --out runs/p
  python -m omr train --config omr-light --train scores.lmdb --out runs/l --resume

Training data are PrIMuS folders (with split files; --camera for the distorted pictures, --val-camera to validate on
them) or LMDBs that `python -m data_tools scores` writes. Without --train scores are composed, engraved and drawn on
the fly, as the configuration's `rendered` says. Batches hold pictures of like width. The run folder is that of
`python -m crnn_jt train`.
"""

from __future__ import annotations

import logging
from functools import partial

from crnn_jt.options import add_training_arguments, read_config, read_options
from crnn_jt.spec import Config
from crnn_jt.training import assemble, endless, train_to_end
from data_tools.errors import UserError
from data_tools.readers.mixed import open_shares
from data_tools.sample import Reader
from omr.data import Framed, open_scores


def add_arguments(parser) -> None:
    """Declares the options."""
    add_training_arguments(parser)
    parser.add_argument("--split", type=str, default=None, help="split file of the training folders")
    parser.add_argument("--val-split", type=str, default=None, help="split file of the validation folders")
    parser.add_argument("--camera", action="store_true", help="train on Camera-PrIMuS's distorted pictures")
    parser.add_argument("--val-camera", action="store_true", help="validate on them")


def run(args) -> None:
    """Builds everything the options name and trains; Ctrl-C and SIGTERM end it with a checkpoint."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    _check(args)
    given = {name: getattr(args, name) for name in ("split", "val_split", "camera", "val_camera")}
    config = read_config(args, **{name: value for name, value in given.items() if value})
    if config.data.kind != "scores":
        raise UserError(f"--config {args.config}: reads words, not music; name primus, primus-wide or omr-light")
    train, val = open_readers(config)
    train_to_end(assemble(config, read_options(args), train, val))


def _check(args) -> None:
    """Raises UserError for options that would change nothing."""
    for data, options in (("train", ("split", "camera")), ("val", ("val_split", "val_camera"))):
        for option in options:
            if getattr(args, option) and not getattr(args, data):
                name = option.replace("_", "-")
                raise UserError(f"--{name}: is for PrIMuS folders; name them with --{data}, or leave it out")
    for option in ("fonts", "words", "backgrounds"):
        if getattr(args, option):
            raise UserError(f"--{option}: is for rendered words; scores are drawn as the configuration says")


def open_readers(config: Config) -> tuple[Reader | None, Reader | None]:
    """Training and validation data sets, framed as the model wants them; None where scores are rendered."""
    data, encoding = config.data, config.model.labels.vocabulary
    train = val = None
    if data.train:
        open_all = partial(open_scores, split=data.split or None, encoding=encoding, camera=data.camera)
        train = Framed(open_shares(data.train, config.train.seed, endless(config.train), open_all), config.model)
    if data.val:
        val = Framed(open_scores(list(data.val), data.val_split or None, encoding, data.val_camera), config.model)
    return train, val
