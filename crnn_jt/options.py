"""Options that several training commands share, and what they make of them."""

from __future__ import annotations

from crnn_jt.spec import Config
from crnn_jt.training import UNLIMITED, TrainOptions, configure, configure_resumed
from data_tools.errors import UserError

TRAIN = "data sets, or A:2 B:1 for their shares in each batch; none: rendered on the fly"


def add_training_arguments(parser) -> None:
    """Adds the options of a training to a parser."""
    parser.add_argument("--config", type=str, default="", help="a configuration's name or YAML file (not to resume)")
    parser.add_argument("--out", type=str, required=True, help="the run folder")
    parser.add_argument("--train", type=str, nargs="+", default=[], help=TRAIN)
    parser.add_argument("--val", type=str, nargs="+", default=[], help="data sets to validate on; none: rendered")
    parser.add_argument("--resume", action="store_true", help="continue from the run folder's checkpoint")
    parser.add_argument("--init", type=str, default="", help="weights to start from; what does not fit stays fresh")
    parser.add_argument("--teacher", type=str, help="weights that are learnt from, beside the labels")
    parser.add_argument("--student-scale", type=float, help="with --teacher: pictures at this resolution, 0.1 to 1")
    parser.add_argument("--steps", type=int, help="optimiser steps instead of the configuration's")
    parser.add_argument("--minutes", type=float, default=0.0, help="stop, and have the schedule end, after this long")
    parser.add_argument("--batch-size", type=int, help="samples a step instead of the configuration's")
    parser.add_argument("--learning-rate", type=float, help="instead of the configuration's")
    parser.add_argument("--device", type=str, default="cpu", help="cpu or cuda")
    parser.add_argument("--precision", type=str, help="float32, or bfloat16 with CRNN_BACKEND=torch")
    parser.add_argument("--workers", type=int, help="loader processes (0: load between steps)")
    parser.add_argument(
        "--echo", type=int, help="how often each sample is used, where rendering is slower than learning"
    )
    parser.add_argument(
        "--cache", type=str, default="", help="a folder that keeps what is rendered, for other trainings too"
    )
    parser.add_argument("--seed", type=int, help="one seed for weights, order, augmentation and rendering")
    parser.add_argument("--fonts", type=str, help="a folder of fonts for rendered words")
    parser.add_argument("--words", type=str, help="a word list for rendered words")
    parser.add_argument("--backgrounds", type=str, help="a folder of pictures for rendered words")
    parser.add_argument(
        "--max-corrupt", type=float, default=0.1, help="stop where a larger share of samples is corrupt"
    )
    parser.add_argument("--tensorboard", action="store_true", help="also log for TensorBoard (needs tensorboardX)")


def read_options(args) -> TrainOptions:
    """The options of the run. Raises UserError."""
    return TrainOptions(
        args.out, args.resume, args.init, args.minutes, args.device, args.cache, args.tensorboard, args.max_corrupt
    )


def read_changes(args, **data) -> dict[str, dict]:
    """What the command line changes in a configuration, by section and field; `data` is of its section too. Options
    that a command does not have count as not given.
    """

    def given(name: str):
        return getattr(args, name, None)

    names = ("steps", "batch_size", "learning_rate", "precision", "workers", "seed", "echo")
    train = {name: given(name) for name in names if given(name) is not None}
    if given("minutes"):
        train.setdefault("steps", UNLIMITED)
    recipe = {"fonts": [args.fonts]} if given("fonts") else {}
    recipe |= {name: given(name) for name in ("words", "backgrounds") if given(name)}
    data |= {name: tuple(given(name)) for name in ("train", "val") if given(name)}
    lesson = {"teacher": given("teacher"), "scale": given("student_scale")}
    lesson = {name: value for name, value in lesson.items() if value is not None}
    return {"train": train, "data": {**data, "recipe": recipe}, "lesson": lesson}


def read_config(args, **data) -> Config:
    """The configuration with what the command line changes. Raises UserError."""
    changes = read_changes(args, **data)
    if args.resume:
        return configure_resumed(args.out, args.config, changes)
    if not args.config:
        raise UserError("--config: name a configuration, or --resume a run")
    return configure(args.config, changes)
