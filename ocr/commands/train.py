"""Trains a detector, `db-light` (for CPUs) or `db` (PP-OCR's), or a classifier of direction, `direction-light` or
`direction` (PP-OCR's).

  python -m ocr train detector --config db-light --out runs/db --minutes 120        scenes rendered meanwhile
  python -m ocr train direction --config direction-light --out runs/turn --minutes 30
  python -m ocr train detector --config db-light --train photos/ --val more/ --out runs/mine --init db.safetensors

A detector's data sets are folders of photographs with a text file of quadrilaterals each (ICDAR 2015's layout, and
what `python -m data_tools scenes` writes), those of a classifier are pictures of words. Without --train they are
rendered on the fly. The run folder is that of `python -m crnn_jt train`.
"""

from __future__ import annotations

import logging

from crnn_jt.options import add_training_arguments, read_config, read_options
from crnn_jt.training import assemble, train_to_end
from data_tools.errors import UserError

KINDS = ("detector", "direction", "spotter", "selector")


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("kind", metavar="KIND", type=str, help=f"what is trained: {' or '.join(KINDS)}")
    add_training_arguments(parser)


def run(args) -> None:
    """Builds everything the options name and trains; Ctrl-C and SIGTERM end it with a checkpoint."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if args.kind not in KINDS:
        raise UserError(f"{args.kind}: cannot be trained here; it takes {' or '.join(KINDS)}")
    config = read_config(args)
    if config.model.kind != args.kind:
        raise UserError(f"--config {args.config}: is a {config.model.kind}, not a {args.kind}")
    train_to_end(assemble(config, read_options(args)))
