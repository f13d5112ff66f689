"""Augmentations by the names that papers give them, as PP-OCR compares them (Du et al., 2020, sections 2.2 and 2.3).

Those of one picture change it before it is brought to a model's size; those of a batch mix pictures with each other,
and a task must learn from both labels. All follow from the random numbers that they are given alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import numpy as np
from PIL import Image

from data_tools.augmentations.erasing import cut_out, erase_random, hide_and_seek, mask_grid
from data_tools.augmentations.geometry import distort_basic, distort_text
from data_tools.augmentations.mixing import cut_mix, mix_up
from data_tools.augmentations.policies import auto_augment, rand_augment

PICTURES: dict[str, Callable[[Image.Image, Random], Image.Image]] = {
    "bda": distort_basic,
    "tia": distort_text,
    "randaugment": rand_augment,
    "autoaugment": auto_augment,
    "cutout": cut_out,
    "randomerasing": erase_random,
    "hideandseek": hide_and_seek,
    "gridmask": mask_grid,
}
MIXES = {"mixup": mix_up, "cutmix": cut_mix}
NAMES = (*PICTURES, *MIXES)
_SMALLEST = 4
"""Pixels; smaller pictures stay as they are."""


@dataclass(frozen=True)
class Augmentations:
    """Those of one picture, one after another. A picture that is neither L nor RGB becomes L; its size stays."""

    names: tuple[str, ...]

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> Image.Image:
        random = Random(int(rng.integers(2**62)))
        if image.mode not in ("L", "RGB"):
            image = image.convert("L")
        if min(image.size) < _SMALLEST:
            return image
        for name in self.names:
            image = PICTURES[name](image, random)
        return image
