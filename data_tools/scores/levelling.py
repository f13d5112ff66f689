"""Pictures of staves without their light: white paper and black ink, from the brightness of the paper around."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image, ImageFilter

_FAINTEST = 0.8
"""Ink that is no darker than this share of the paper's brightness is not made black: it may be noise."""


def paper_share(grey: Image.Image) -> np.ndarray:
    """(H, W) float32: brightness as a share of that of the paper around."""
    small = grey.resize((max(1, grey.width // 4), max(1, grey.height // 4)), Image.Resampling.BOX)
    radius = max(2, min(small.size) // 6, 10)
    brightest = cv2.dilate(np.asarray(small), np.ones((5, 5), np.uint8))
    paper = Image.fromarray(brightest).filter(ImageFilter.BoxBlur(radius)).resize(grey.size)
    return np.asarray(grey, np.float32) / np.maximum(np.asarray(paper, np.float32), 1.0)


def blackened(grey: Image.Image) -> Image.Image:
    """`levelled` for a picture on white paper, which needs not be looked for."""
    counts = np.cumsum(grey.histogram())
    ink = min(_FAINTEST, float(np.searchsorted(counts, 0.02 * counts[-1])) / 255)
    return grey.point(((np.arange(256) / 255 - ink) / (1 - ink) * 255).clip(0, 255).astype(np.uint8).tolist())


def levelled(grey: Image.Image) -> Image.Image:
    """A grey picture with white paper, whatever the light, and the darkest fiftieth of it black."""
    share = paper_share(grey)
    ink = min(_FAINTEST, float(np.percentile(share[::2, ::2], 2)))
    return Image.fromarray(((share - ink) / (1 - ink) * 255).clip(0, 255).astype(np.uint8))
