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
import signal
from pathlib import Path

from crnn_jt.commands import train as shared
from data_tools.errors import UserError

VALIDATION_SCORES = 400


def add_arguments(parser) -> None:
    """Adds the command's arguments to a jsonargparse parser."""
    shared.add_arguments(parser)
    parser.add_argument("--split", type=str, default=None, help="split file of the training folders")
    parser.add_argument("--val-split", type=str, default=None, help="split file of the validation folders")
    parser.add_argument("--camera", action="store_true", help="train on Camera-PrIMuS's distorted pictures")
    parser.add_argument("--val-camera", action="store_true", help="validate on them")


def run(args) -> None:
    """Builds everything the options name and trains; a SIGTERM ends it as Ctrl-C does, with a checkpoint."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _check(args)
    config = shared.configure(args)
    if not config.model.labels.vocabulary:
        raise UserError(f"--config {args.config}: reads words, not music; name primus, primus-wide or omr-light")
    if args.device not in ("cpu", "cuda"):
        raise UserError(f"--device {args.device}: it takes cpu or cuda")
    from crnn_jt.checkpoint import Run
    from omr.reading import frame_of

    frame = config.train.rendered.get("frame") or frame_of(config.model, {})
    train, val = readers(args, config, frame)
    what = ", ".join(args.train) or f"rendered: {config.train.rendered}, seed {config.train.seed}"
    trainer = shared.assemble(args, Run(Path(args.out), config), train, val, what)
    trainer.info["frame"] = frame
    trainer.run()


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


def readers(args, config, frame: str) -> tuple:
    """Training and validation readers, framed as the model wants them."""
    from omr.commands.test import open_scores
    from omr.reading import Framed

    encoding, seed = config.model.labels.vocabulary, config.train.seed
    if args.train:
        train = Framed(open_scores(args.train, args.split, encoding, args.camera), config.model, frame)
    else:
        train = shared.rendered(config, seed, shared.endless(config.train), training=True, encoding=encoding)
    if args.val:
        val = Framed(open_scores(args.val, args.val_split, encoding, args.val_camera), config.model, frame)
    else:
        val = shared.rendered(config, seed + 1_000_003, VALIDATION_SCORES, encoding=encoding)
    return train, val
