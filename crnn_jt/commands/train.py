"""Trains a recogniser: a configuration names its stages and how it learns; data sets (LMDB, folders, MJSynth) or words
rendered on the fly are what it learns from. The run folder holds checkpoint, best and last weights, metrics.jsonl and
curves.png; --resume continues exactly where the checkpoint stands.

  python -m crnn_jt train --config crnn-light --out runs/first --minutes 60
  python -m crnn_jt train --config crnn --train data/MJ --val data/IIIT5K --out runs/mj
  python -m crnn_jt train --config crnn-light --out runs/first --resume
  mpirun -np 2 python -m crnn_jt train --config crnn-light --out runs/two
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import date
from pathlib import Path

from crnn_jt.spec import Config, ImageSpec, TrainSpec, load_config
from data_tools.errors import UserError

logger = logging.getLogger(__name__)
VALIDATION_WORDS = 1000


def add_arguments(parser) -> None:
    """The options; `omr train` shares them."""
    parser.add_argument("--config", type=str, required=True, help="a configuration's name or YAML file")
    parser.add_argument("--out", type=str, required=True, help="the run folder")
    parser.add_argument("--train", type=str, nargs="+", default=[], help="data sets; none: rendered on the fly")
    parser.add_argument("--val", type=str, nargs="+", default=[], help="data sets to validate on; none: rendered")
    parser.add_argument("--resume", action="store_true", help="continue from the run folder's checkpoint")
    parser.add_argument("--init", type=str, help="weights to start from (name or file); what does not fit stays fresh")
    parser.add_argument("--steps", type=int, help="optimiser steps instead of the configuration's")
    parser.add_argument("--minutes", type=float, default=0.0, help="stop, and have the schedule end, after so long")
    parser.add_argument("--batch-size", type=int, help="images a step instead of the configuration's")
    parser.add_argument("--learning-rate", type=float, help="instead of the configuration's")
    parser.add_argument("--device", type=str, default="cpu", help="cpu or cuda")
    parser.add_argument("--precision", type=str, help="float32, or bfloat16 with CRNN_BACKEND=torch")
    parser.add_argument("--workers", type=int, help="loader processes (0: load between steps)")
    parser.add_argument(
        "--echo", type=int, help="how often each sample is used, where rendering is slower than learning"
    )
    parser.add_argument("--cache", type=str, help="a folder that keeps what is rendered, for trainings beside or after")
    parser.add_argument("--seed", type=int, help="one seed for weights, order, augmentation and rendering")
    parser.add_argument("--fonts", type=str, help="a folder of fonts for rendered words")
    parser.add_argument("--words", type=str, help="a word list for rendered words")
    parser.add_argument("--backgrounds", type=str, help="a folder of pictures for rendered words")
    parser.add_argument("--tensorboard", action="store_true", help="also log for TensorBoard (needs tensorboardX)")


def run(args) -> None:
    """Builds everything the options name and trains; Ctrl-C and SIGTERM end it with a checkpoint."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    config = configure(args)
    if args.device not in ("cpu", "cuda"):
        raise UserError(f"--device {args.device}: it takes cpu or cuda")
    from crnn_jt.checkpoint import Run

    folder = Run(Path(args.out), config)
    train, val, recipe = data(args, config)
    trainer = assemble(args, folder, train, val, recipe)
    trainer.run()


def configure(args) -> Config:
    """The configuration with the options' changes."""
    config = load_config(args.config)
    changes = {
        "steps": args.steps,
        "batch_size": args.batch_size,
        "learning_rate": args.learning_rate,
        "precision": args.precision,
        "workers": args.workers,
        "seed": args.seed,
        "echo": args.echo,
    }
    if args.cache and args.train:
        raise UserError(
            "--cache keeps what is rendered; with --train there is nothing to render, leave one of them out"
        )
    if args.minutes < 0:
        raise UserError(f"--minutes {args.minutes}: it takes 0 (no limit) or more")
    if args.minutes and args.steps is None:
        changes["steps"] = 10**9
    rendered = {
        **config.train.rendered,
        **({"fonts": [args.fonts]} if args.fonts else {}),
        **({"words": args.words} if args.words else {}),
        **({"backgrounds": args.backgrounds} if args.backgrounds else {}),
    }
    given = {name: value for name, value in changes.items() if value is not None}
    return replace(config, train=replace(config.train, rendered=rendered, **given))


def data(args, config: Config) -> tuple:
    """Training reader, validation reader and a line that says what they are."""
    from data_tools.readers import open_readers

    if args.train:
        train = open_readers(args.train)
    else:
        train = rendered(config, config.train.seed, endless(config.train), training=True)
    if args.val:
        val = open_readers(args.val)
    else:
        val = rendered(config, config.train.seed + 1_000_003, VALIDATION_WORDS)
    return train, val, ", ".join(args.train) or f"rendered: {config.train.rendered}, seed {config.train.seed}"


def endless(train: TrainSpec) -> int:
    """So many samples that no run sees one twice."""
    return max(min(train.steps, 10**7), train.window) * train.batch_size


FOR_TRAINING = ("ease_in", "even")
"""What of a recipe makes training easier, and judging unfair."""


def rendered(config: Config, seed: int, size: int, training: bool = False, **changes):
    """A reader that renders: words, or scores where the spec names a vocabulary; `changes` to the configured recipe."""
    from crnn_jt.spec import from_dict

    recipe = {name: value for name, value in config.train.rendered.items() if training or name not in FOR_TRAINING}
    recipe |= changes
    if config.model.labels.vocabulary:
        from data_tools.scores import Recipe, RenderedScores

        return RenderedScores(seed, size, from_dict(Recipe, recipe, "train.rendered"))
    from data_tools.words import Recipe, RenderedWords

    return RenderedWords(seed, size, from_dict(Recipe, recipe, "train.rendered"))


def assemble(args, folder, train, val, recipe: str):
    """The trainer, with fresh, given or resumed state."""
    from crnn_jt.backend import NAME, place, ranks
    from crnn_jt.recognizer import build
    from crnn_jt.trainer import Limits, Trainer

    spec, model = folder.config.train, folder.config.model
    recognizer = build(model, spec.seed)
    if args.init:
        start_from(recognizer, args.init)
    place(recognizer, args.device)
    loader = {"accept": recognizer.tokenizer.accept, "workers": spec.workers}
    window = spec.window if model.image.resize == "proportional" or spec.echo > 1 else 1
    shards = {"rank": ranks.rank, "ranks": ranks.count, "drop_last": True}
    shards |= {"window": window, "echo": spec.echo, "cache": args.cache}
    augment = _augment(model.image) if spec.augment and args.train else None
    train_loader = _loader(
        train, model, spec.batch_size, seed=spec.seed, shuffle=bool(args.train), augment=augment, **loader, **shards
    )
    val_loader = _loader(val, model, spec.batch_size, **loader)
    folder.progress.data = recipe
    info = {"data": recipe, "seed": spec.seed, "backend": NAME, "date": date.today().isoformat()}
    info |= {"precision": spec.precision, "batch_size": spec.batch_size, "echo": spec.echo, "init": args.init or ""}
    trainer = Trainer(folder, recognizer, train_loader, val_loader, Limits(args.minutes), info)
    logger.info("%s", f"{model.name}: {_count(recognizer):,} parameters, training on {recipe}")
    if args.resume:
        trainer.resume()
    elif ranks.rank == 0:
        folder.create()
    if args.tensorboard and ranks.rank == 0:
        folder.open_tensorboard()
    return trainer


def _loader(reader, model, batch_size: int, **options):
    from crnn_jt.recognizer import transform_of
    from data_tools.loader import Loader

    return Loader(reader, transform_of(model), batch_size, **options)


def _augment(image: ImageSpec):
    from data_tools.augment import augment_word

    return augment_word


def _count(recognizer) -> int:
    from math import prod

    from crnn_jt.backend import parameters

    return sum(prod(value.shape) for value in parameters(recognizer).values())


def start_from(recognizer, name: str) -> None:
    """Sets what fits of a weights file and says what stays fresh."""
    from crnn_jt.backend import load_state, state
    from crnn_jt.weights import load_weights, transfer

    fitting, fresh = transfer(load_weights(name), state(recognizer), recognizer.spec)
    if not fitting:
        raise UserError(f"--init {name}: not one of its weights fits this model")
    load_state(recognizer, fitting)
    logger.info("%s", f"--init {name}: {len(fitting)} arrays taken; fresh: {', '.join(fresh) or 'none'}")
