"""Does a combination of stages learn at all? Narrow stages over-fit a few rendered words or incipits, or do not fit
together.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from crnn_jt.spec import ImageSpec, LabelSpec, ModelSpec, StageSpec, TrainSpec
from data_tools.sample import Reader, Sample

EXTRACTORS = ("vgg", "vgg_global", "resnet15", "resnet23", "light")
REFINERS = {"bilstm": {"hidden": 48, "depth": 1}, "identity": {}}
GENERATORS = {
    "ctc": {},
    "encoder_decoder": {"hidden": 64, "embedding": 16},
    "attention": {"hidden": 64, "attention": 32, "embedding": 16},
}
WORDS = 32
WIDTH = 0.25
INCIPITS, MUSIC_BATCH = 64, 16
SYMBOLS = 12
"""Of an incipit, at most: short ones are quick to learn."""
STAFF = 64
"""Height of an incipit's picture, pixels."""


@dataclass(frozen=True)
class Overfit:
    """How far a combination came: samples read right, after how many steps, and the last loss."""

    combination: str
    right: int
    steps: int
    loss: float


def combinations() -> Iterator[ModelSpec]:
    """Every extractor with every refiner and every generator, in narrow widths."""
    for extractor, refiner, generator in itertools.product(EXTRACTORS, REFINERS, GENERATORS):
        yield ModelSpec(
            f"{extractor}+{refiner}+{generator}",
            StageSpec(extractor, {"width": WIDTH}),
            StageSpec(refiner, REFINERS[refiner]),
            StageSpec(generator, GENERATORS[generator]),
            ImageSpec(),
            LabelSpec(max_length=24),
        )


def light_music() -> ModelSpec:
    """`omr-light`'s stages, narrow, for short incipits."""
    return ModelSpec(
        "staff_light+bilstm+ctc, music",
        StageSpec("staff_light", {"width": 0.5}),
        StageSpec("bilstm", {"hidden": 64, "depth": 1}),
        StageSpec("ctc"),
        ImageSpec(1, STAFF, 192),
        LabelSpec("", "semantic", SYMBOLS, "drop-sample"),
    )


def overfit(model: ModelSpec, steps: int, seed: int = 0, count: int = WORDS, batch: int = WORDS) -> Overfit:
    """Trains on `count` rendered words, or incipits where the model reads music, until all are read right.

    `steps` at most, of `batch` samples each; looks every 20 steps whether all are right.
    """
    from crnn_jt import backend
    from crnn_jt.backend import ops
    from crnn_jt.decoding.ctc import pad
    from crnn_jt.optimizers import Optimizer, learning_rate
    from crnn_jt.recognizer import build

    recognizer = backend.place(build(model, seed), "cpu")
    images, widths, texts = _samples(recognizer, seed, count)
    targets, sizes = pad([recognizer.tokenizer.encode(text) for text in texts])
    parts = [slice(first, first + batch) for first in range(0, count, batch)]
    spec = TrainSpec(steps=steps, learning_rate=3e-3, warmup=20, schedule="constant", weight_decay=0.0, clip=5.0)
    optimizer = Optimizer(spec, backend.parameters(recognizer))
    for step in range(1, steps + 1):
        recognizer.train()
        part = parts[step % len(parts)]
        logits, lengths = recognizer(ops.array(images[part]), widths[part], targets[part])
        loss = recognizer.generator.loss(logits, targets[part], sizes[part], lengths)
        gradients = backend.gradients(loss, list(optimizer.parameters.values()))
        optimizer.step(gradients, learning_rate(spec, step - 1, step / steps))
        backend.synchronize()
        if step % 20 == 0 or step == steps:
            right = sum(_right(recognizer, images[part], widths[part], texts[part]) for part in parts)
            if right == len(texts):
                break
    return Overfit(model.name, right, step, float(ops.numpy(loss).sum()))


def _samples(recognizer, seed: int, count: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """`count` plain rendered words or short incipits: images (N, C, H, W), their widths and labels."""
    from crnn_jt.recognizer import transform_of
    from data_tools.loader import Loader

    spec = recognizer.spec
    reader = _incipits(seed, count) if spec.labels.vocabulary else _words(seed, 2 * count, spec.labels.characters)
    batch = next(Loader(reader, transform_of(spec), len(reader), accept=recognizer.tokenizer.accept).batches())
    return batch.images[:count], batch.widths[:count], batch.texts[:count]


def _words(seed: int, count: int, characters: str) -> Reader:
    from data_tools.words import Recipe, RenderedWords

    return RenderedWords(seed, count, Recipe(strength=0.2, characters=characters))


def _incipits(seed: int, count: int) -> list[Sample]:
    """Different ones of SYMBOLS symbols or fewer, the staff in the same place of every picture."""
    from data_tools.scores import Recipe, RenderedScores
    from data_tools.scores.engraving import FRAME_ABOVE, FRAME_BELOW

    recipe = Recipe("varied", "staff", STAFF / (FRAME_BELOW + FRAME_ABOVE))
    scores = RenderedScores(seed, 1000 * count, recipe)
    short: dict[str, int] = {}
    for index in range(len(scores)):
        text = scores.text(index)
        if len(text.split()) <= SYMBOLS:
            short.setdefault(text, index)
        if len(short) == count:
            break
    return [scores[index] for index in short.values()]


def _right(recognizer, images: np.ndarray, widths: np.ndarray, texts: list[str]) -> int:
    from crnn_jt import backend

    recognizer.eval()
    with backend.no_grad():
        readings = recognizer.generator.decode(*recognizer.log_probs(images, widths))
    return sum(recognizer.tokenizer.decode(reading.indices) == text for reading, text in zip(readings, texts))
