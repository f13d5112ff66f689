"""What a model sees of a picture: grey or RGB, 8 bits, with paper behind what is see-through.

Bit depths are scaled by what the picture holds, the paper contrasts with what is drawn on it, and writing that differs
from its ground in colour alone is not lost in grey.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

FLAT = 48
"""Grey levels between the darkest and the brightest pixel up to which colour is asked whether it holds more. Words on
signs of the rendered test sets span 60 and more, the noise of JPEG on an even ground up to 30.
"""
RICHER = 2.5
"""How much more the colours must spread than the grey, so that noise is never taken for writing."""


def to_channels(image: Image.Image, channels: int) -> Image.Image:
    """The picture as grey (`channels` 1, mode L) or colour (3, mode RGB)."""
    mode = "L" if channels == 1 else "RGB"
    if image.mode == mode and "transparency" not in image.info:
        return image
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        image = Image.fromarray(scale_to_bytes(np.asarray(image)))
    if image.mode == "La":  # Pillow has one way alone from it
        image = image.convert("LA")
    if image.mode in ("RGBA", "LA", "PA", "RGBa") or "transparency" in image.info:
        image = _lay_on_paper(image)
    if image.mode not in ("1", "L", "RGB"):  # Pillow has no way from some of them to grey
        image = image.convert("RGB")
    return _to_grey(image) if channels == 1 and image.mode == "RGB" else image.convert(mode)


def scale_to_bytes(values: np.ndarray) -> np.ndarray:
    """Levels of any depth as uint8, by what they hold: 0 to 1, or the number of bits that the greatest needs (8 at
    least); fractions from the least to the greatest where they are neither 0 to 1 nor 0 to 255, as all that go below 0.
    """
    if values.dtype == bool:
        return values.astype(np.uint8) * np.uint8(255)
    wide = np.asarray(values, dtype=np.float64)
    finite = wide[np.isfinite(wide)]
    if not finite.size:
        return np.zeros(values.shape, dtype=np.uint8)
    low, high = float(finite.min()), float(finite.max())
    black, white = low, high
    if low >= 0 and values.dtype.kind in "iu":
        bits = int(values.max()).bit_length()
        black, white = 0.0, 2.0 ** (1 if bits < 2 else max(8, bits)) - 1
    elif low >= 0 and (0.1 <= high <= 1 or 32 <= high <= 255):  # what lies between was scaled in another way
        black, white = 0.0, 1.0 if high <= 1 else 255.0
    wide = np.nan_to_num(wide, nan=black, posinf=white, neginf=black)
    return np.clip((wide - black) * (255.0 / max(white - black, 1e-300)), 0, 255).astype(np.uint8)


def _lay_on_paper(image: Image.Image) -> Image.Image:
    """A picture with see-through places as RGB, on white, or on black where what is drawn is bright all over."""
    image = image.convert("RGBA")
    if not image.getchannel("A").getextrema()[1]:  # nothing would be seen: whoever wrote it left the opacity unset
        return image.convert("RGB")
    paper = Image.new("RGBA", image.size, "black" if _is_bright(image) else "white")
    return Image.alpha_composite(paper, image).convert("RGB")


def _is_bright(image: Image.Image) -> bool:
    """Whether white would hide what an RGBA picture shows: mostly see-through, or with holes inside (letters cut out
    of a card), and the rest bright without a contrast of its own (a pale card with dark writing and clear margins or
    corners keeps its white paper).
    """
    opacity = np.asarray(image.getchannel("A"), dtype=np.float32) / 255
    shown = float(opacity.sum())
    edges = min(float(edge.min()) for edge in (opacity[0], opacity[-1], opacity[:, 0], opacity[:, -1]))
    if shown > 0.9 * opacity.size and edges < 0.5:
        return False
    grey = np.asarray(image.convert("RGB").convert("L"), dtype=np.float32)
    mean = float((grey * opacity).sum()) / shown
    spread = float(np.sqrt((np.square(grey - mean) * opacity).sum() / shown))
    return mean > 127 and spread < 50


def _to_grey(image: Image.Image) -> Image.Image:
    """RGB as its luminance; where that is nearly even and the colours are not, along the axis on which they spread."""
    grey = image.convert("L")
    low, high = grey.getextrema()
    if high - low > FLAT:
        return grey
    levels = np.asarray(image, dtype=np.float32).reshape(-1, 3)
    centred = levels - levels.mean(0)
    axes = np.linalg.eigh(centred.T @ centred)[1]
    along = centred @ axes[:, -1]  # (H * W,), the first principal component
    if np.ptp(along) <= FLAT or along.std() <= RICHER * max(float(np.asarray(grey, np.float32).std()), 1e-6):
        return grey
    if np.median(along) < (along.min() + along.max()) / 2:
        along = -along  # the ground, which most pixels show, is the bright one, as on paper
    scaled = (along - along.min()) * (255 / np.ptp(along))
    return Image.fromarray(scaled.reshape(image.height, image.width).astype(np.uint8))
