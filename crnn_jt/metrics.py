"""How good readings are: word accuracy, 1-NED, character and symbol error rates, intervals, calibration.

Percentages are 0-100. `ned` is 100·(1-NED): 1 - edit distance / longer length, averaged over images (the 1-N.E.D. of
ICDAR's competitions), so higher is better.
An error rate is the sum of edits over the sum of reference lengths. The functions take strings (characters) or lists of
symbols alike and normalise nothing: a protocol does that before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import Levenshtein

Sequences = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Counts:
    """What every measure is made of, an entry an image: whether the reading is `exact` (bool), its `edits` from the
    reference, the reference's length (`lengths`), and the length of the longer of the two (`longest`); (N,) each.
    """

    exact: np.ndarray
    edits: np.ndarray
    lengths: np.ndarray
    longest: np.ndarray

    @property
    def closeness(self) -> np.ndarray:
        """1 - edits / longer length of each image; 1 where both are empty."""
        return 1.0 - self.edits / np.maximum(self.longest, 1)


def count(readings: Sequences, references: Sequences) -> Counts:
    """Compares readings with references, pair by pair. Raises ValueError where their numbers differ."""
    if len(readings) != len(references):
        raise ValueError(f"{len(readings)} readings for {len(references)} references")
    edits = np.array([Levenshtein.distance(a, b) for a, b in zip(readings, references)], dtype=np.int64)
    lengths = np.array([len(b) for b in references], dtype=np.int64)
    longest = np.array([max(len(a), len(b)) for a, b in zip(readings, references)], dtype=np.int64)
    return Counts(edits == 0, edits, lengths, longest)


def accuracy(counts: Counts) -> float:
    """Exact matches, % of images; 0 of no images is 0."""
    return 100.0 * float(counts.exact.mean()) if len(counts.exact) else 0.0


def ned(counts: Counts) -> float:
    """100·(1-NED); higher is better."""
    return 100.0 * float(counts.closeness.mean()) if len(counts.exact) else 0.0


def error_rate(counts: Counts) -> float:
    """Edits, % of reference symbols; can exceed 100. References without a symbol count as one symbol in all."""
    return 100.0 * float(counts.edits.sum()) / max(int(counts.lengths.sum()), 1)


def word_scores(readings: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """{"n", "accuracy", "ned", "cer"} of words."""
    counts = count(readings, references)
    return {
        "n": len(references),
        "accuracy": accuracy(counts),
        "ned": ned(counts),
        "cer": error_rate(counts),
    }


def sequence_scores(readings: Sequences, references: Sequences) -> dict[str, float]:
    """{"n", "sequence_accuracy", "ser"} of symbol sequences (music)."""
    counts = count(readings, references)
    return {"n": len(references), "sequence_accuracy": accuracy(counts), "ser": error_rate(counts)}


def bootstrap(counts: Counts, repeats: int = 1000, seed: int = 0) -> dict[str, tuple[float, float]]:
    """95% percentile intervals over resampled images: {"accuracy", "ned", "cer": (low, high)}, in %.

    The resamples depend on `seed` and the number of images alone, so figures of one set can be compared pair by pair.
    """
    size = len(counts.exact)
    if not size:
        return dict.fromkeys(("accuracy", "ned", "cer"), (0.0, 0.0))
    rng = np.random.default_rng(seed)
    values = np.stack([counts.exact, counts.closeness, counts.edits, counts.lengths]).astype(np.float64)  # (4, N)
    sums = np.empty((repeats, 4))
    for row in range(repeats):
        sums[row] = values[:, rng.integers(0, size, size)].sum(axis=1)
    samples = {
        "accuracy": 100.0 * sums[:, 0] / size,
        "ned": 100.0 * sums[:, 1] / size,
        "cer": 100.0 * sums[:, 2] / np.maximum(sums[:, 3], 1.0),
    }
    return {name: tuple(float(q) for q in np.percentile(drawn, [2.5, 97.5])) for name, drawn in samples.items()}


def expected_calibration_error(confidences: Sequence[float], correct: Sequence[bool], bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over equal-width bins, weighted by images, in % (Guo et al., 2017)."""
    confidences, correct = np.asarray(confidences, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if not len(confidences):
        return 0.0
    place = np.clip((confidences * bins).astype(np.int64), 0, bins - 1)
    gaps = np.bincount(place, weights=confidences - correct, minlength=bins)
    return 100.0 * float(np.abs(gaps).sum()) / len(confidences)


def confidence_power(confidences: Sequence[float], correct: Sequence[bool]) -> float:
    """The power a for which confidence**a best tells how often readings are right (least log loss), 0.05-20.

    p(l | y) of a recogniser is too sure of itself on pictures unlike those it was trained on; one number, found on
    labelled pictures that are not the test set, mends most of that and changes no order (Guo et al., 2017, scale the
    logits likewise). Returns 1 where there is nothing to learn from: no readings, or all right, or all wrong.
    """
    sure, right = np.clip(np.asarray(confidences, np.float64), 1e-9, 1 - 1e-9), np.asarray(correct, bool)
    if right.all() or not right.any():
        return 1.0
    powers = np.geomspace(0.05, 20, 400)  # steps of 1.5%
    raised = np.clip(sure[:, None] ** powers, 1e-9, 1 - 1e-9)  # (N, A)
    loss = -np.where(right[:, None], np.log(raised), np.log1p(-raised)).mean(axis=0)
    return float(powers[loss.argmin()])
