"""Augmentation by policies: one found by a search, and one drawn at random (Cubuk et al., 2019 and 2020).

Both put operations of Pillow's in a row, each at a magnitude of 0 to 10.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from PIL import Image, ImageEnhance, ImageOps

_LAYERS, _MAGNITUDE = 2, 5
"""Of RandAugment: how many operations, how strong (PaddleClas's defaults, which PP-OCR's authors use)."""
_GREY = 128
"""What comes into the picture from outside."""
Operation = Callable[[Image.Image, float, Random], Image.Image]


def _affine(image: Image.Image, *values: float) -> Image.Image:
    fill = _GREY if image.mode == "L" else (_GREY,) * 3
    return image.transform(image.size, Image.Transform.AFFINE, values, Image.Resampling.BILINEAR, fillcolor=fill)


def _signed(value: float, random: Random) -> float:
    return value if random.random() < 0.5 else -value


def _rotate(image: Image.Image, strength: float, random: Random) -> Image.Image:
    fill = _GREY if image.mode == "L" else (_GREY,) * 3
    return image.rotate(_signed(30 * strength, random), Image.Resampling.BILINEAR, fillcolor=fill)


def _enhance(kind: type) -> Operation:
    return lambda image, strength, random: kind(image).enhance(1 + _signed(0.9 * strength, random))


OPERATIONS: dict[str, Operation] = {
    "shear x": lambda image, strength, random: _affine(image, 1, _signed(0.3 * strength, random), 0, 0, 1, 0),
    "shear y": lambda image, strength, random: _affine(image, 1, 0, 0, _signed(0.3 * strength, random), 1, 0),
    "translate x": lambda image, strength, random: _affine(
        image, 1, 0, _signed(0.45 * strength * image.width, random), 0, 1, 0
    ),
    "translate y": lambda image, strength, random: _affine(
        image, 1, 0, 0, 0, 1, _signed(0.45 * strength * image.height, random)
    ),
    "rotate": _rotate,
    "color": _enhance(ImageEnhance.Color),
    "posterize": lambda image, strength, random: ImageOps.posterize(image, round(8 - 4 * strength)),
    "solarize": lambda image, strength, random: ImageOps.solarize(image, round(256 - 256 * strength)),
    "contrast": _enhance(ImageEnhance.Contrast),
    "sharpness": _enhance(ImageEnhance.Sharpness),
    "brightness": _enhance(ImageEnhance.Brightness),
    "autocontrast": lambda image, strength, random: ImageOps.autocontrast(image),
    "equalize": lambda image, strength, random: ImageOps.equalize(image),
    "invert": lambda image, strength, random: ImageOps.invert(image),
}
"""(picture, strength 0-1, random) -> picture. Extents are those of AutoAugment's table 6; moves are shares of the
picture, 150 of 331 pixels there."""

IMAGENET: tuple[tuple[tuple[str, float, int], tuple[str, float, int]], ...] = (
    (("posterize", 0.4, 8), ("rotate", 0.6, 9)),
    (("solarize", 0.6, 5), ("autocontrast", 0.6, 5)),
    (("equalize", 0.8, 8), ("equalize", 0.6, 3)),
    (("posterize", 0.6, 7), ("posterize", 0.6, 6)),
    (("equalize", 0.4, 7), ("solarize", 0.2, 4)),
    (("equalize", 0.4, 4), ("rotate", 0.8, 8)),
    (("solarize", 0.6, 3), ("equalize", 0.6, 7)),
    (("posterize", 0.8, 5), ("equalize", 1.0, 2)),
    (("rotate", 0.2, 3), ("solarize", 0.6, 8)),
    (("equalize", 0.6, 8), ("posterize", 0.4, 6)),
    (("rotate", 0.8, 8), ("color", 0.4, 0)),
    (("rotate", 0.4, 9), ("equalize", 0.6, 2)),
    (("equalize", 0.0, 7), ("equalize", 0.8, 8)),
    (("invert", 0.6, 4), ("equalize", 1.0, 8)),
    (("color", 0.6, 4), ("contrast", 1.0, 8)),
    (("rotate", 0.8, 8), ("color", 1.0, 2)),
    (("color", 0.8, 8), ("solarize", 0.8, 7)),
    (("sharpness", 0.4, 7), ("invert", 0.6, 8)),
    (("shear x", 0.6, 5), ("equalize", 1.0, 9)),
    (("color", 0.4, 0), ("equalize", 0.6, 3)),
    (("equalize", 0.4, 7), ("solarize", 0.2, 4)),
    (("solarize", 0.6, 5), ("autocontrast", 0.6, 5)),
    (("invert", 0.6, 4), ("equalize", 1.0, 8)),
    (("color", 0.6, 4), ("contrast", 1.0, 8)),
    (("equalize", 0.8, 8), ("equalize", 0.6, 3)),
)
"""The policy that was found on ImageNet: pairs of (operation, chance, magnitude) (AutoAugment, table 9)."""


def rand_augment(image: Image.Image, random: Random) -> Image.Image:
    """Some operations at one magnitude (Cubuk, Zoph, Shlens, Le, "RandAugment", 2020)."""
    for name in random.choices(list(OPERATIONS), k=_LAYERS):
        image = OPERATIONS[name](image, _MAGNITUDE / 10, random)
    return image


def auto_augment(image: Image.Image, random: Random) -> Image.Image:
    """One pair of the policy, each operation by its chance (Cubuk et al., "AutoAugment", CVPR 2019)."""
    for name, chance, magnitude in random.choice(IMAGENET):
        if random.random() < chance:
            image = OPERATIONS[name](image, magnitude / 10, random)
    return image
