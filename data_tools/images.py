"""Opening pictures that may be anything: bytes to PIL images, and PIL images to the channels a model wants."""

from __future__ import annotations

import warnings
from io import BytesIO

from PIL import Image

from data_tools.sample import CorruptSample, Sample, Stored

MAX_PIXELS = 64_000_000
"""Larger pictures are refused before they are decoded: no word needs them, and a small file can claim any size."""


def decode(content: bytes, key: str) -> Image.Image:
    """The picture that the bytes of a file hold, decoded to its last pixel.

    Raises CorruptSample, named `key`, where there are no bytes, no picture or only part of one.
    """
    if not content:
        raise CorruptSample(key, "the image is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(BytesIO(content))
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            image.load()
    except Image.DecompressionBombError:
        raise CorruptSample(key, "the image is too large") from None
    except Exception as error:  # Pillow's plug-ins raise almost anything on hostile bytes
        raise CorruptSample(key, "the image cannot be decoded") from error
    return image


def opened(stored: Stored) -> Sample:
    """The sample with its picture decoded; raises CorruptSample as `decode` does."""
    return Sample(decode(stored.content, stored.key), stored.text, stored.key, stored.extra)


def to_channels(image: Image.Image, channels: int) -> Image.Image:
    """The picture as grey (`channels` 1, mode L) or colour (3, mode RGB); see-through places show white."""
    mode = "L" if channels == 1 else "RGB"
    if image.mode == mode:
        return image
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        image = _eight_bits(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(paper, image)
    if image.mode in ("LAB", "HSV"):  # Pillow has no way from these to grey
        image = image.convert("RGB")
    return image.convert(mode)


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit (or wider) grey to 8 bits by scale; Pillow's own conversion clips at 255."""
    wide = image.convert("F")
    low, high = wide.getextrema()
    scale = 1.0 if low >= 0 and high <= 255 else 255.0 / 65535.0
    return wide.point(lambda value: value * scale + 0.0).convert("L")
