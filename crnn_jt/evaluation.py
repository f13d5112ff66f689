"""Scores over a whole data set: every usable sample once, none dropped, none counted twice."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from PIL import Image
from tqdm import tqdm

from crnn_jt.decoding.ctc import Reading
from crnn_jt.metrics import sequence_scores, word_scores
from crnn_jt.tokenizer import Tokenizer
from data_tools.loader import Loader, TextLines
from data_tools.transforms import picture_of

logger = logging.getLogger(__name__)
Readings = Callable[[np.ndarray, np.ndarray], list[Reading]]
"""Padded images (N, C, H, W) and their own widths (N,) -> a reading of each."""
PICTURED = 100
"""At most this many wrong readings of a pass keep their picture."""


@dataclass(frozen=True)
class Misreading:
    """What was read wrongly; `picture` as the model saw it, grey or RGB, of the first `PICTURED` of a pass."""

    key: str
    truth: str
    text: str
    picture: Image.Image | None

    def __str__(self) -> str:
        return f"{self.truth!r} read {self.text!r}"


@dataclass
class Pass:
    """What one pass over a data set found: texts read and true labels, in order; how many samples could not be used,
    by reason.
    """

    texts: list[str] = field(default_factory=list)
    truths: list[str] = field(default_factory=list)
    wrong: list[Misreading] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)


def read_all(loader: Loader, readings: Readings, tokenizer: Tokenizer, progress: bool | None = False) -> Pass:
    """Reads every sample of a loader once; `progress` shows a bar (None: where there is a terminal)."""
    found, before = Pass(), loader.skipped.copy()
    disable = None if progress is None else not progress
    for batch in tqdm(loader.batches(), total=loader.batches_per_epoch, unit="batch", disable=disable):
        if not batch.texts:
            continue
        texts = [tokenizer.decode(reading.indices) for reading in readings(batch.images, batch.widths)]
        for row, (key, truth, text) in enumerate(zip(batch.keys, batch.texts, texts)):
            if truth != text:
                keep = len(found.wrong) < PICTURED
                picture = picture_of(batch.images[row, :, :, : batch.widths[row]]) if keep else None
                found.wrong.append(Misreading(key, truth, text, picture))
        found.texts += texts
        found.truths += batch.texts
    found.skipped = dict(loader.skipped - before)
    return found


def evaluate(
    loader: Loader, readings: Readings, tokenizer: Tokenizer, progress: bool = False
) -> tuple[dict[str, float], list[Misreading]]:
    """Scores, and the wrong readings.

    {"n", "accuracy", "ned", "cer"} for characters, {"n", "sequence_accuracy", "ser"} for vocabularies; "skipped" counts
    the samples that could not be used, where there are any.
    """
    found = read_all(loader, readings, tokenizer, progress)
    skipped = sum(found.skipped.values())
    scores = _score(found.texts, found.truths, tokenizer)
    return {**scores, **({"skipped": skipped} if skipped else {})}, found.wrong


def measure(
    reader, data, batch_size: int = 256, max_corrupt: float = 0.1, channel=None
) -> tuple[dict[str, float], list[Misreading]]:
    """`evaluate` of a `SequenceReader` on a data set, corrected by a `Channel` if given, with a progress bar; what was
    skipped is said by reason.

    Raises UserError where a larger share than `max_corrupt` is corrupt, or not one sample can be used.
    """
    options = {"accept": reader.tokenizer.accept, "max_corrupt": max_corrupt}
    loader = Loader(data, TextLines(reader.transform), batch_size, **options)
    scores, wrong = evaluate(loader, partial(reader.readings, channel=channel), reader.tokenizer, progress=True)
    if loader.skipped:
        why = ", ".join(f"{count:,} × {why}" for why, count in loader.skipped.most_common())
        logger.warning("%s", f"left out of the figures: {why}")
    return scores, wrong


def _score(texts: list[str], truths: list[str], tokenizer: Tokenizer) -> dict[str, float]:
    if tokenizer.separator:
        return sequence_scores([text.split() for text in texts], [truth.split() for truth in truths])
    return word_scores(texts, truths)
