"""Compresses a model in every way and tabulates size, accuracy and milliseconds beside PP-OCR's published figures.

  python -m eval slim --weights crnn-light --data dev/IIIT5K dev/SVT --out runs/slim --minutes 60
  python -m eval slim --weights db-light --data dev/IC15 --out runs/slim-db --minutes 60 --plot slim.png
  python -m eval slim --weights crnn-light --out runs/quick --rows float,ptq

  python -m eval slim --weights crnn-light --out runs/engines --rows float,ptq,onnxruntime,openvino --recurrent

The rows onnxruntime and openvino are the calibrated model as QDQ ONNX, read by these (extra `bench`), with as many
threads as OMP_NUM_THREADS says. A model is a recogniser, a detector or a classifier of direction. Each row trains as
`crnn_jt compress` does; its run folder stands in --out, where slim.json and slim.md grow row by row. Interrupted, the
same command goes on where it stood, and rows that are finished are not made again. Milliseconds are of one picture of
the model's size; other work on the machine lengthens them.
"""

from __future__ import annotations

import logging
from datetime import date
from pathlib import Path

from data_tools.checks import check_range
from data_tools.errors import UserError
from data_tools.files import write_text
from eval import training
from eval.machine import describe_machine
from eval.options import parse_names, require_at_least
from eval.plots import require_plot_name, write_plot
from eval.slim import bench, report


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("--weights", type=str, required=True, help="the model, by name or file")
    parser.add_argument("--data", type=str, nargs="+", default=[], help="data sets to measure on; none: rendered")
    parser.add_argument("--rows", type=str, default=",".join(bench.ROWS), help="which, with commas")
    parser.add_argument("--config", type=str, default="", help="how it was trained, if no configuration has its name")
    parser.add_argument("--train", type=str, nargs="+", default=[], help="data sets to train on; none: rendered")
    parser.add_argument("--val", type=str, nargs="+", default=[], help="data sets to validate on; none: rendered")
    parser.add_argument("--keep", type=float, default=0.5, help="the share of the multiply-adds that pruning keeps")
    parser.add_argument("--pictures", type=int, default=256, help="pruning is judged on so many")
    parser.add_argument("--recurrent", action="store_true", help="recurrent layers' products in 8 bits too")
    parser.add_argument("--seconds", type=float, default=3.0, help="of timing a row")
    parser.add_argument("--plot", type=str, default=None, help="a picture to write: score by size")
    training.add_arguments(parser)


def run(args) -> int:
    """Makes and measures all rows; those that cannot be made are named, and the exit code is then 1."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    slimming, kind = _read_slimming(args)
    out, about = Path(args.out), _describe(args)
    path = out / "slim.json"
    done = report.read_rows(path.read_text(encoding="utf-8"), about) if path.is_file() else {}
    if path.is_file() and not done:
        raise UserError(f"--out {out}: was begun with other settings; name another folder")

    def one(row: str) -> bench.Row:
        return done[row] if row in done else bench.measure(row, bench.make(row, slimming, out), slimming)

    def write(rows: list, problems: list[str]) -> None:
        if rows:
            write_text(path, report.format_json(rows, problems, about) + "\n")
            write_text(out / "slim.md", report.format_document(rows, kind))

    rows, problems = training.train_each(parse_names(args.rows), one, write)
    if args.plot:
        write_plot(report.plot(rows), args.plot)
    machine = {"machine": describe_machine(), "date": date.today().isoformat()}
    text = report.format_json(rows, problems, about | machine) if args.json else report.format_table(rows, kind)
    print("\n".join([text, *([] if args.json else problems)]))
    return int(bool(problems))


def _read_slimming(args) -> tuple[bench.Slimming, str]:
    """What all rows share, and the kind of the model. Raises UserError for what no row could begin with."""
    from crnn_jt.compression.runs import fine_tuning
    from crnn_jt.options import read_changes
    from crnn_jt.training import TrainOptions
    from crnn_jt.weights import load_weights

    if not args.out:
        raise UserError("--out: name a folder for the run folders")
    check_range("--keep", args.keep, 0, 1)
    require_at_least(1, pictures=args.pictures)
    require_plot_name(args.plot)
    for row in parse_names(args.rows):
        if row not in bench.ROWS:
            raise UserError(f"--rows {row}: there are {', '.join(bench.ROWS)}")
    weights = load_weights(args.weights)
    options = TrainOptions(args.out, minutes=args.minutes, device=args.device)
    config = fine_tuning(args.config, weights, read_changes(args))
    how = {"keep": args.keep, "pictures": args.pictures, "recurrent": args.recurrent, "seconds": args.seconds}
    return bench.Slimming(args.weights, config, options, tuple(args.data), **how), weights.spec.kind


def _describe(args) -> dict[str, object]:
    """What rows must share to stand in one table."""
    model = ("weights", "data", "config", "train", "val")
    how = ("keep", "pictures", "recurrent", "steps", "minutes", "batch_size")
    return {name: getattr(args, name) for name in (*model, *how)}
