"""The slope of a function of several arrays, by central differences: what a gradient must agree with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np


def slope(value: Callable[..., float], given: Sequence[np.ndarray], position: int, along: np.ndarray, step: float):
    """How fast `value(*given)` grows where the array at `position` moves along `along`."""
    ends = []
    for moved_by in (step, -step):
        moved = list(given)
        moved[position] = moved[position] + moved_by * along
        ends.append(value(*moved))
    return (ends[0] - ends[1]) / (2 * step)
