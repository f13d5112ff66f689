"""Where the characters of a CTC reading stand in its picture.

CTC says at which steps a symbol was seen (Graves et al., ICML 2006), not how wide it is: as a rule at one step within
the letter. What lies between two symbols is shared out between them, half of the usual distance at most, so that
gaps between words stay gaps.
"""

from __future__ import annotations

from itertools import pairwise
from statistics import median

import numpy as np

from crnn_jt.decoding.ctc import find_runs

Span = tuple[float, float]
"""Begin and end as shares of the picture's width."""


def find_spans(path: np.ndarray) -> tuple[Span, ...]:
    """The span of each symbol of a best path (T,), collapsed, from left to right; they do not overlap."""
    runs = [(first, last) for _, first, last in find_runs(path.tolist())]
    steps = len(path)
    centres = [(start + end) / 2 for start, end in runs]
    reach = median(after - before for before, after in pairwise(centres)) / 2 if len(runs) > 1 else steps
    middles = [0.0, *((before[1] + after[0]) / 2 for before, after in pairwise(runs)), steps]
    each = zip(runs, centres, pairwise(middles))
    return tuple(
        (max(left, min(centre - reach, start)) / steps, min(right, max(centre + reach, end)) / steps)
        for (start, end), centre, (left, right) in each
    )
