"""CTC by brute force: every path of T steps over K symbols, collapsed and summed. Independent of the project's code."""

from __future__ import annotations

import itertools
from collections import defaultdict

import numpy as np


def labelings(probabilities: np.ndarray) -> dict[tuple[int, ...], float]:
    """p(l | y) of every labelling that probabilities (T, K) can emit; blank 0. K**T paths: keep both small."""
    steps, symbols = probabilities.shape
    total: dict[tuple[int, ...], float] = defaultdict(float)
    for path in itertools.product(range(symbols), repeat=steps):
        word = tuple(k for k, _ in itertools.groupby(path) if k != 0)
        total[word] += float(np.prod(probabilities[np.arange(steps), path]))
    return dict(total)
