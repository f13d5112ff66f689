"""Does a model learn at all? A narrow one over-fits a few rendered words or incipits; or its stages do not fit."""

from __future__ import annotations

from dataclasses import dataclass

from crnn_jt.spec import Config, RecognizerSpec, TrainSpec
from data_tools.loader import Batch
from data_tools.sample import Reader, Sample

WORDS = 32
INCIPITS = 64
SYMBOLS = 12
"""Of an incipit at most: short ones are quick to learn."""
STAFF = 64
"""Height of an incipit's picture, pixels."""


@dataclass(frozen=True)
class Overfit:
    """How far a combination came: samples read right, after how many steps, and the last loss."""

    combination: str
    right: int
    steps: int
    loss: float


def overfit(model: RecognizerSpec, steps: int, seed: int = 0, count: int = WORDS, batch: int = WORDS) -> Overfit:
    """Trains on `count` rendered words, or incipits where the model reads music, until all are read right.

    `steps` at most, of `batch` samples each; looks every 20 steps whether all are right.
    """
    from crnn_jt import backend
    from crnn_jt.backend import ops
    from crnn_jt.learner import Learner
    from crnn_jt.models import build
    from crnn_jt.optimizers import learning_rate
    from crnn_jt.tasks import task_of

    spec = TrainSpec(
        steps=steps, learning_rate=3e-3, warmup=20, schedule="constant", weight_decay=0.0, clip=5.0, ema=0.0
    )
    recognizer = backend.to_device(build(model, seed), "cpu")
    task = task_of(recognizer, Config(model, spec))
    learner, batches = Learner(task, spec), _render_batches(task, seed, count, batch)
    lines = [task.usable(batch)[0] for batch in batches]
    for step in range(1, steps + 1):
        recognizer.train()
        losses, _ = learner.step(lines[step % len(lines)], learning_rate(spec, step - 1, step / steps), step)
        backend.synchronize()
        if step % 20 == 0 or step == steps:
            right = sum(_count_right(recognizer, batch) for batch in batches)
            if right == count:
                break
    return Overfit(model.name, right, step, float(ops.numpy(losses["loss"]).sum()))


def _render_batches(task, seed: int, count: int, size: int) -> list[Batch]:
    """`count` plain rendered words or short incipits in batches of `size`."""
    from data_tools.loader import Loader

    labels = task.model.spec.labels
    reader = _render_incipits(seed, count) if labels.vocabulary else _render_words(seed, 2 * count, labels.characters)
    whole = next(Loader(reader, task.collate(False), len(reader), accept=task.accept).batches())
    return [
        Batch(whole.images[part], whole.widths[part], whole.texts[part], whole.keys[part])
        for part in (slice(first, first + size) for first in range(0, count, size))
    ]


def _render_words(seed: int, count: int, characters: str) -> Reader:
    from data_tools.words import Recipe, RenderedWords

    return RenderedWords(seed, count, Recipe(strength=0.2, characters=characters))


def _render_incipits(seed: int, count: int) -> list[Sample]:
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


def _count_right(recognizer, batch: Batch) -> int:
    from crnn_jt import backend

    recognizer.eval()
    with backend.no_grad():
        readings = recognizer.generator.decode(*recognizer.log_probs(batch.images, batch.widths))
    return sum(recognizer.tokenizer.decode(reading.indices) == text for reading, text in zip(readings, batch.texts))
