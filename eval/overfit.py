"""Does a combination of stages learn at all? Narrow stages over-fit a few rendered words, or do not fit together."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from crnn_jt.spec import ImageSpec, LabelSpec, ModelSpec, StageSpec, TrainSpec

EXTRACTORS = ("vgg", "vgg_global", "resnet15", "resnet23", "light")
REFINERS = {"bilstm": {"hidden": 48, "depth": 1}, "identity": {}}
GENERATORS = {
    "ctc": {},
    "encoder_decoder": {"hidden": 64, "embedding": 16},
    "attention": {"hidden": 64, "attention": 32, "embedding": 16},
}
WORDS = 32
WIDTH = 0.25


@dataclass(frozen=True)
class Overfit:
    """How far a combination came: words read right of WORDS, after how many steps, and the last loss."""

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


def overfit(model: ModelSpec, steps: int, seed: int = 0) -> Overfit:
    """Trains on one batch of rendered words until all are read right, `steps` at most; looks every 20 steps."""
    from crnn_jt import backend
    from crnn_jt.backend import ops
    from crnn_jt.decoding.ctc import pad
    from crnn_jt.optimizers import Optimizer, learning_rate
    from crnn_jt.recognizer import build

    recognizer = backend.place(build(model, seed), "cpu")
    images, widths, texts = _words(recognizer, seed)
    targets, sizes = pad([recognizer.tokenizer.encode(text) for text in texts])
    spec = TrainSpec(steps=steps, learning_rate=3e-3, warmup=20, schedule="constant", weight_decay=0.0, clip=5.0)
    optimizer = Optimizer(spec, backend.parameters(recognizer))
    for step in range(1, steps + 1):
        recognizer.train()
        logits, lengths = recognizer(ops.array(images), widths, targets)
        loss = recognizer.generator.loss(logits, targets, sizes, lengths)
        gradients = backend.gradients(loss, list(optimizer.parameters.values()))
        optimizer.step(gradients, learning_rate(spec, step - 1, step / steps))
        backend.synchronize()
        if step % 20 == 0 or step == steps:
            right = _right(recognizer, images, widths, texts)
            if right == len(texts):
                break
    return Overfit(model.name, right, step, float(ops.numpy(loss).sum()))


def _words(recognizer, seed: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """WORDS plain rendered words: images (N, C, H, W), their widths and labels."""
    from crnn_jt.recognizer import transform_of
    from data_tools.loader import Loader
    from data_tools.words import Recipe, RenderedWords

    reader = RenderedWords(seed, 2 * WORDS, Recipe(strength=0.2, characters=recognizer.spec.labels.characters))
    loader = Loader(reader, transform_of(recognizer.spec), 2 * WORDS, accept=recognizer.tokenizer.accept)
    batch = next(loader.batches())
    return batch.images[:WORDS], batch.widths[:WORDS], batch.texts[:WORDS]


def _right(recognizer, images: np.ndarray, widths: np.ndarray, texts: list[str]) -> int:
    from crnn_jt import backend

    recognizer.eval()
    with backend.no_grad():
        readings = recognizer.generator.decode(*recognizer.log_probs(images, widths))
    return sum(recognizer.tokenizer.decode(reading.indices) == text for reading, text in zip(readings, texts))
