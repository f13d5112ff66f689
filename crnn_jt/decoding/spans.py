"""Where the characters of a CTC reading stand in its picture.

CTC says at which steps a symbol was seen (Graves et al., ICML 2006), not how wide it is: as a rule at one step within
the letter. What lies between two symbols is shared out between them, half of the usual distance at most, so that
gaps between words stay gaps.
"""

from __future__ import annotations

import numpy as np

from crnn_jt.decoding.ctc import BLANK

Span = tuple[float, float]
"""Begin and end as shares of the picture's width."""


def find_spans(path: np.ndarray) -> tuple[Span, ...]:
    """The span of each symbol of a best path (T,), collapsed, from left to right; they do not overlap."""
    steps = len(path)
    starts = np.flatnonzero(np.diff(path, prepend=-1))
    ends = np.append(starts[1:], steps)
    spoken = path[starts] != BLANK if steps else np.zeros(0, bool)
    starts, ends = starts[spoken], ends[spoken]
    if not len(starts):
        return ()
    centres = (starts + ends) / 2
    reach = np.median(np.diff(centres)) / 2 if len(centres) > 1 else steps
    middles = (ends[:-1] + starts[1:]) / 2
    begins = np.maximum(np.append(0.0, middles), np.minimum(centres - reach, starts))
    stops = np.minimum(np.append(middles, steps), np.maximum(centres + reach, ends))
    return tuple(zip((begins / steps).tolist(), (stops / steps).tolist()))
