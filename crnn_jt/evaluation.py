"""Scores over a whole data set: every usable sample once, none dropped, none counted twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image
from tqdm import tqdm

from crnn_jt.decoding.ctc import Reading
from crnn_jt.metrics import sequence_scores, word_scores
from crnn_jt.tokenizer import Tokenizer
from data_tools.loader import Loader
from data_tools.transforms import picture_of

Readings = Callable[[np.ndarray, np.ndarray], list[Reading]]
"""Padded images (N, C, H, W) and their own widths (N,) -> a reading of each."""


PICTURED = 100
"""So many wrong readings of a pass keep their picture."""


@dataclass(frozen=True)
class Misreading:
    """What was read wrongly; `picture` as the model saw it, grey or RGB, of the first `PICTURED` of a pass."""

    truth: str
    text: str
    picture: Image.Image | None

    def __str__(self) -> str:
        return f"{self.truth!r} read {self.text!r}"


def evaluate(
    loader: Loader, readings: Readings, tokenizer: Tokenizer, progress: bool = False
) -> tuple[dict[str, float], list[Misreading]]:
    """Scores, and the wrong readings.

    {"n", "accuracy", "ned", "cer"} for characters, {"n", "sequence_accuracy", "ser"} for vocabularies; "skipped" counts
    the samples that could not be used, where there are any.
    """
    texts, truths, wrong = [], [], []
    before = sum(loader.skipped.values())
    batches = tqdm(loader.batches(), total=loader.batches_per_epoch, unit="batch", disable=not progress)
    for batch in batches:
        if not batch.texts:
            continue
        read = [tokenizer.decode(r.indices) for r in readings(batch.images, batch.widths)]
        for row, (truth, text) in enumerate(zip(batch.texts, read)):
            if truth != text:
                seen = batch.images[row, :, :, : batch.widths[row]]
                wrong.append(Misreading(truth, text, picture_of(seen) if len(wrong) < PICTURED else None))
        texts += read
        truths += batch.texts
    scores = _scores(texts, truths, tokenizer)
    skipped = sum(loader.skipped.values()) - before
    return {**scores, **({"skipped": skipped} if skipped else {})}, wrong


def _scores(texts: list[str], truths: list[str], tokenizer: Tokenizer) -> dict[str, float]:
    if tokenizer.separator:
        return sequence_scores([text.split() for text in texts], [truth.split() for truth in truths])
    return word_scores(texts, truths)
