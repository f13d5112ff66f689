"""Scores over a whole data set: every usable sample once, none dropped, none counted twice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from tqdm import tqdm

from crnn_jt.decoding.ctc import Reading
from crnn_jt.metrics import sequence_scores, word_scores
from crnn_jt.tokenizer import Tokenizer
from data_tools.loader import Loader

Readings = Callable[[np.ndarray, np.ndarray], list[Reading]]
"""Padded images (N, C, H, W) and their own widths (N,) -> a reading of each."""


def evaluate(
    loader: Loader, readings: Readings, tokenizer: Tokenizer, progress: bool = False
) -> tuple[dict[str, float], list[str]]:
    """Scores, and the wrong readings as lines.

    {"n", "accuracy", "ned", "cer"} for characters, {"n", "sequence_accuracy", "ser"} for vocabularies; "skipped" counts
    the samples that could not be used, where there are any.
    """
    texts, truths = [], []
    before = sum(loader.skipped.values())
    batches = tqdm(loader.batches(), total=loader.batches_per_epoch, unit="batch", disable=not progress)
    for batch in batches:
        if batch.texts:
            texts += [tokenizer.decode(r.indices) for r in readings(batch.images, batch.widths)]
            truths += batch.texts
    wrong = [f"{truth!r} read {text!r}" for truth, text in zip(truths, texts) if truth != text]
    scores = _scores(texts, truths, tokenizer)
    skipped = sum(loader.skipped.values()) - before
    return {**scores, **({"skipped": skipped} if skipped else {})}, wrong


def _scores(texts: list[str], truths: list[str], tokenizer: Tokenizer) -> dict[str, float]:
    if tokenizer.separator:
        return sequence_scores([text.split() for text in texts], [truth.split() for truth in truths])
    return word_scores(texts, truths)
