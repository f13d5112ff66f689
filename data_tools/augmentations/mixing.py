"""Augmentation by mixing the pictures of a batch with each other; what is learnt is mixed alike."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

_MIXUP, _CUTMIX = 0.2, 1.0
"""Parameters of the beta distribution of the shares, those of the papers for ImageNet."""


@dataclass(frozen=True)
class Mixed:
    """Pictures (N, C, H, W), of each a `share` (0-1) its own and the rest that of picture `partners` (N,)."""

    images: np.ndarray
    partners: np.ndarray
    share: float


def mix_up(images: np.ndarray, rng: np.random.Generator) -> Mixed:
    """Weighted means of pictures (Zhang, Cisse, Dauphin, Lopez-Paz, "mixup", ICLR 2018)."""
    share, partners = float(rng.beta(_MIXUP, _MIXUP)), rng.permutation(len(images))
    mixed = images * np.float32(share) + images[partners] * np.float32(1 - share)
    return Mixed(mixed, partners, share)


def cut_mix(images: np.ndarray, rng: np.random.Generator) -> Mixed:
    """A box of each picture from another one (Yun et al., "CutMix", ICCV 2019)."""
    partners, side = rng.permutation(len(images)), math.sqrt(1 - rng.beta(_CUTMIX, _CUTMIX))
    spans = []
    for size in images.shape[2:]:
        centre, half = rng.uniform(0, size), side * size / 2
        spans.append(slice(max(0, round(centre - half)), min(size, round(centre + half))))
    mixed = images.copy()
    mixed[:, :, spans[0], spans[1]] = images[partners][:, :, spans[0], spans[1]]
    pasted = math.prod(max(0, span.stop - span.start) for span in spans)
    return Mixed(mixed, partners, 1 - pasted / math.prod(images.shape[2:]))
