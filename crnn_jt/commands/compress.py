"""Makes a model smaller: products in 8 bits, or fewer filters, each with a training that makes up for it.

  python -m crnn_jt compress calibrate --weights crnn-light --out runs/int8
  python -m crnn_jt compress pact --weights crnn-light --out runs/pact --minutes 60
  python -m crnn_jt compress pact --out runs/pact --resume
  python -m crnn_jt compress prune --weights crnn-light --out runs/pruned --keep 0.5 --minutes 60

calibrate: post-training quantisation, ranges from 256 pictures; calibrated.safetensors.
pact: from there on trained with rounding and a learnt bound on what comes into each layer (PP-OCR, section 2.3);
int8.safetensors. Both leave recurrent layers as they are, as published, unless --recurrent takes their products in too.
prune: filters that others can stand in for (FPGM) go until the share --keep of the multiply-adds is left, most where
the model minds least, which is measured first (sensitivity.json, a table, a plot); start.safetensors before training,
best.safetensors after it. For both, prune, then compress pact --weights runs/pruned/best.safetensors.

The model's own configuration is taken (--config where it has another name) at a tenth of its steps and learning rate,
unless options say otherwise; whatever reads weights reads the files.
"""

from __future__ import annotations

import logging
from pathlib import Path

from crnn_jt.options import add_training_arguments, read_changes, read_config, read_options
from crnn_jt.spec import Config
from data_tools.checks import check_at_least, check_range
from data_tools.errors import UserError

STEPS = ("calibrate", "pact", "prune")


def add_arguments(parser) -> None:
    """The options of `compress`: those of a training, and its own."""
    parser.add_argument("step", choices=STEPS, help=" or ".join(STEPS))
    parser.add_argument("--weights", type=str, default="", help="the model, by name or file (not to resume)")
    add_training_arguments(parser)
    parser.add_argument("--recurrent", action="store_true", help="recurrent layers' products in 8 bits too")
    parser.add_argument("--keep", type=float, default=0.5, help="prune: the share of the multiply-adds that stays")
    parser.add_argument("--shares", type=str, default="0.25,0.5,0.75", help="prune: what is tried to go of each layer")
    parser.add_argument("--pictures", type=int, default=256, help="prune: judged on so many to validate on")


def run(args) -> None:
    """Compresses and says what was written, its size beside the model's."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    from crnn_jt.backend import ranks
    from crnn_jt.compression import runs
    from crnn_jt.weights import find_weights

    if ranks.count > 1:
        raise UserError("compress: runs in one process; start it without mpirun")
    out, calibrated = Path(args.out), args.step == "calibrate" or args.steps == 0
    if args.resume and calibrated:
        raise UserError("--resume: there is nothing to go on with; calibrating takes a minute")
    config = read_config(args) if args.resume else _begin(args, out)
    if not calibrated:
        runs.train_on(config, read_options(args))
    if args.step == "prune":
        made = out / (runs.START if calibrated else "best.safetensors")
    else:
        made = out / runs.CALIBRATED if calibrated else runs.write_eight_bits(out)
    before = f", {args.weights} {find_weights(args.weights).stat().st_size / 1e6:.2f} MB" if args.weights else ""
    print(f"{made}: {made.stat().st_size / 1e6:.2f} MB{before}")


def _begin(args, out: Path) -> Config:
    """What the run folder starts with; returns the configuration of the training."""
    from crnn_jt.compression import runs
    from crnn_jt.weights import load_weights

    if not args.weights:
        raise UserError("--weights: name the model to compress, or --resume a run")
    if args.init:
        raise UserError(f"--init {args.init}: compress starts from --weights; leave it out")
    runs.refuse_a_run(out)
    if args.steps == 0:
        args.steps = None  # no configuration has 0
    shares = _read_shares(args)
    config = runs.fine_tuning(args.config, load_weights(args.weights), read_changes(args))
    if args.step == "prune":
        config, rows = runs.begin_pruned(args.weights, config, out, args.keep, shares, args.pictures)
        for first, *rest in rows:
            print(f"{first:<36}", *(f"{cell:>8}" for cell in rest))
        return config
    return runs.begin_eight_bits(args.weights, config, out, args.recurrent)


def _read_shares(args) -> tuple[float, ...]:
    """The shares to try, ascending. Raises UserError."""
    check_range("--keep", args.keep, 0, 1)
    check_at_least("--pictures", args.pictures, 1)
    try:
        shares = sorted({float(share) for share in args.shares.split(",")})
    except ValueError:
        shares = []
    if not shares or not 0 < shares[0] <= shares[-1] < 1:
        raise UserError(f"--shares {args.shares}: it takes numbers between 0 and 1 with commas, such as 0.25,0.5")
    return tuple(shares)
