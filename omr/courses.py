"""Where the five lines of a staff run in a picture that shows it nearly level, strip by strip across it.

Heights are in staff spaces: `low` is that of the lowest line below its place in the frame, `ratio` the distance of the
lines as a share of the frame's.
"""

from __future__ import annotations

from itertools import product

import cv2
import numpy as np

from data_tools.scores.engraving import FRAME_ABOVE

_STRIP = 2.0  # staff spaces
_STRAIGHT, _EVEN = 0.1, 0.03  # how far lines may be off, and spacings: models have learnt to read that
_BENT = 0.12  # how far a staff may leave straight lines; more, and it is followed strip by strip
_LOWS, _RATIOS = np.arange(-2.5, 2.51, 0.25), 1.06 ** np.arange(-4.0, 5.0)  # sought; one step further in each strip
_FARTHEST, _WIDEST = 4.0, 0.35  # lows, logarithms of ratios; no staff is found that badly
_LINES, _GAPS = np.arange(5.0), np.arange(-1, 5) + 0.5  # staff spaces above the lowest line
_NEAR = np.linspace(-0.45, 0.45, 19)  # around a line, where its middle is sought

Lines = tuple[np.ndarray, np.ndarray]
"""`low` and `ratio` of each strip."""
Bent = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Places along a staff in staff spaces from its left end, `low` and `ratio` there; (K,) each."""


def follow(framed: np.ndarray, space: float, margin: float, rest: float = 0.0) -> Bent | None:
    """How the lines of a framed staff ((H, W) uint8, white paper, left end `margin` staff spaces within) really run;
    None where it is straight and even already, or cannot be told. `rest` is the `low` of a staff that is in its place.
    """
    strips, along = _strips(framed, space)
    if len(along) < 4:
        return None
    at = along - margin
    start = np.full(len(at), rest), np.ones(len(at))
    low, ratio = _fit(strips, space, at, *start) or _smooth(strips, space, *start)
    if np.abs(low - rest).max() > 0.3 or np.abs(ratio - 1).max() > 0.08:
        path = _search(strips, space)
        low, ratio = _fit(strips, space, at, *path) or _smooth(strips, space, *path)
    if np.abs(low - rest).max() > _FARTHEST or np.abs(np.log(ratio.clip(1e-3))).max() > _WIDEST:
        return None
    low = low - rest
    if max(np.abs(low).max(), np.abs(low - 4 * (ratio - 1)).max()) < _STRAIGHT and np.abs(ratio - 1).max() < _EVEN:
        return None
    return at, low, ratio


def clarity(framed: np.ndarray, space: float) -> float:
    """How clearly five lines are seen where the frame has them: grey levels between lines and gaps."""
    strips, along = _strips(framed, space)
    return float(_comb(strips, space, np.zeros(len(along)), np.ones(len(along))).mean())


def _strips(framed: np.ndarray, space: float) -> tuple[np.ndarray, np.ndarray]:
    """(H, S) float32: darkness of each strip where it lasts for some columns, as lines do; the strips' middles, in
    staff spaces from the left edge.
    """
    count = max(1, int(framed.shape[1] / (_STRIP * space)))
    lasting = cv2.erode(255 - framed, np.ones((1, max(3, round(0.7 * space))), np.uint8))
    strips = cv2.resize(lasting, (count, len(framed)), interpolation=cv2.INTER_AREA).astype(np.float32)
    return strips, (np.arange(count) + 0.5) * framed.shape[1] / (count * space)


def _levels(strips: np.ndarray, space: float, below: np.ndarray) -> np.ndarray:
    """(..., S): darkness at heights (..., S or 1) in staff spaces below the lowest line's place."""
    rows = ((FRAME_ABOVE + below) * space - 0.5).clip(0, len(strips) - 1.001)
    whole = rows.astype(int)
    part, columns = (rows - whole).astype(np.float32), np.arange(strips.shape[1])
    return (1 - part) * strips[whole, columns] + part * strips[whole + 1, columns]


def _comb(strips: np.ndarray, space: float, low: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    """(..., S): how much darker five lines are than the gaps around them, the faintest of them counted twice."""
    lines = _levels(strips, space, low - _LINES.reshape(-1, *[1] * np.ndim(low)) * ratio)
    gaps = _levels(strips, space, low - _GAPS.reshape(-1, *[1] * np.ndim(low)) * ratio)
    return 0.5 * lines.mean(0) + 0.5 * lines.min(0) - gaps.mean(0)


def _centres(strips: np.ndarray, space: float, low: np.ndarray, ratio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(5, S) heights of the lines' middles near where they should be, and how clear each is."""
    places = low - _LINES[:, None] * ratio
    levels = _levels(strips, space, places[:, None] + _NEAR[:, None])  # (5, near, S)
    levels = levels - levels.min(axis=1, keepdims=True)
    weights = levels**2
    total = weights.sum(axis=1)
    return places + (weights * _NEAR[:, None]).sum(axis=1) / np.maximum(total, 1e-6), np.sqrt(total)


def _fit(strips: np.ndarray, space: float, at: np.ndarray, low: np.ndarray, ratio: np.ndarray) -> Lines | None:
    """`low` and `ratio` of lines that are straight, converging or not, near the given ones; None where they bend."""
    centres, clear = _centres(strips, space, low, ratio)
    t, k = np.broadcast_arrays((at - at.mean()) / np.ptp(at), _LINES[:, None])
    unknowns = np.stack([np.ones_like(t), t, -k, -k * t]).reshape(4, -1)
    weights, off = clear, centres
    for _ in range(4):
        scaled = unknowns * weights.ravel()
        a, b, c, d = np.linalg.solve(scaled @ unknowns.T + 1e-6 * np.eye(4), scaled @ centres.ravel())
        off = centres - (a + b * t - k * (c + d * t))
        weights = clear * (1 - (off / 0.2) ** 2).clip(0.01)
    total, sums = (np.convolve(values, np.ones(3), "same") for values in (clear.sum(axis=0), (clear * off).sum(axis=0)))
    if np.abs(sums / np.maximum(total, 1e-6)).max() > _BENT or (clear * (np.abs(off) < 0.1)).sum() < 0.7 * clear.sum():
        return None
    return a + b * t[0], c + d * t[0]


def _search(strips: np.ndarray, space: float) -> Lines:
    """`low` and `ratio` of each strip: the best path through all of them (Viterbi's), changing little by little."""
    fits = _comb(strips, space, _LOWS[:, None, None], _RATIOS[:, None])  # (lows, ratios, S)
    fits = fits / max(1e-6, float(fits.max())) - 0.02 * np.abs(_LOWS)[:, None, None]
    steps = list(product((-1, 0, 1), repeat=2))
    cost = np.array([0.04 * abs(down) + 0.04 * abs(wider) for down, wider in steps])[:, None, None]
    lows, ratios = fits.shape[:2]
    worth, came = fits[:, :, 0], []
    padded = np.full((lows + 2, ratios + 2), -np.inf)
    for strip in range(1, fits.shape[2]):
        padded[1:-1, 1:-1] = worth
        options = np.stack([padded[1 + d : 1 + d + lows, 1 + w : 1 + w + ratios] for d, w in steps]) - cost
        came.append(options.argmax(axis=0))
        worth = options.max(axis=0) + fits[:, :, strip]
    path = [np.unravel_index(int(worth.argmax()), worth.shape)]
    for choice in reversed(came):
        down, wider = steps[choice[path[-1]]]
        path.append((path[-1][0] + down, path[-1][1] + wider))
    places = np.array(path[::-1]).T
    return _LOWS[places[0]], _RATIOS[places[1]]


def _smooth(strips: np.ndarray, space: float, low: np.ndarray, ratio: np.ndarray) -> Lines:
    """`low` and `ratio` of each strip near the given ones, to a fraction of a pixel, and smooth along the staff."""
    centres, clear = _centres(strips, space, low, ratio)
    k = _LINES[:, None]
    total = np.maximum(clear.sum(axis=0), 1e-6)
    middle, height = (clear * k).sum(axis=0) / total, (clear * centres).sum(axis=0) / total
    spread = (clear * (k - middle) ** 2).sum(axis=0)
    own = -(clear * (k - middle) * (centres - height)).sum(axis=0) / np.maximum(spread, 1e-6)
    own = _averaged(np.where(np.abs(own / ratio - 1) < 0.1, own, ratio), total, 3.0)
    return _averaged(height + own * middle, total, 1.0), own


def _averaged(values: np.ndarray, weights: np.ndarray, reach: float) -> np.ndarray:
    """Weighted lines through the neighbours of each strip, up to about `reach` strips away, at the strip itself."""
    away = np.arange(len(values)) - np.arange(len(values))[:, None]
    near = np.exp(-0.5 * (away / reach) ** 2) * weights
    m0, m1, m2 = (np.sum(near * away**power, axis=1) for power in range(3))
    v0, v1 = near @ values, (near * away) @ values
    return (m2 * v0 - m1 * v1) / np.maximum(m0 * m2 - m1**2, 1e-9)
