"""Opening pictures that may be anything: bytes, files and arrays to PIL images, upright and of one page.

What a model sees of them (grey or colour, 8 bits, on paper) is made in `levels.py`.
"""

from __future__ import annotations

import os
import re
import warnings
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from data_tools.errors import UserError
from data_tools.levels import scale_to_bytes, to_channels
from data_tools.sample import CorruptSample, EncodedSample, Sample

__all__ = [
    "MAX_PIXELS",
    "decode",
    "decode_sample",
    "from_array",
    "list_pages",
    "open_bytes",
    "open_file",
    "split_page",
    "to_channels",
    "turn_upright",
]

MAX_PIXELS = 64_000_000
"""Larger pictures are refused before they are decoded: no word needs them, and a small file can claim any size."""
PAGED = {"TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "DCX": (b"\xb1\x68\xde\x3a",)}
"""Formats whose further pictures are pages, with their first bytes; those of GIF, WebP and PNG are an animation, those
of MPO previews, those of PSD layers.
"""
MAX_PAGES = 500
DRAWN = {"EPS", "WMF"}
"""Formats that are programs: Pillow would hand them to Ghostscript or Windows to be run."""
UNREADABLE = DRAWN | {"BUFR", "GRIB", "HDF5", "MPEG"}
"""Formats that Pillow recognises, and that no file of pictures gives up."""
_SUBFILE, _NO_PAGE = 254, 0b101
"""TIFF's tag NewSubfileType, and its bits for a smaller copy and for a mask."""
_ORIENTED = {"exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp"}
"""Where Pillow keeps what may say how a picture is to be turned; TIFF has it among its own tags."""


def decode(content: bytes, key: str, page: int = 1) -> Image.Image:
    """The picture that the bytes of a file hold (page number `page` of several), upright, decoded to its last pixel.

    Raises CorruptSample, named `key`, where there are no bytes, no such page, no picture or only part of one.
    """
    return _load(BytesIO(content), key, page)


def _load(file: BinaryIO, key: str, page: int) -> Image.Image:
    """As `decode`, from an opened file."""
    if not file.read(1):
        raise CorruptSample(key, "the image is empty")
    file.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(file)
            if image.format in DRAWN:
                raise CorruptSample(key, f"{image.format} is a drawing, not a picture; save it as PNG")
            if page > 1:
                image.seek(page - 1)
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            image.load()
    except Image.DecompressionBombError:
        raise CorruptSample(key, "the image is too large") from None
    except EOFError:
        raise CorruptSample(key, f"there is no page {page}" if page > 1 else "the image cannot be decoded") from None
    except CorruptSample:
        raise
    except Exception as error:  # Pillow's plug-ins raise almost anything on hostile bytes
        file.seek(0)
        if file.read(5) == b"%PDF-":
            raise CorruptSample(key, "PDF is a document, not a picture; save its pages as PNG or TIFF") from error
        raise CorruptSample(key, "the image cannot be decoded") from error
    return turn_upright(image)


def turn_upright(image: Image.Image) -> Image.Image:
    """The picture as its EXIF orientation says that it is to be looked at; without one, the picture itself."""
    if image.format not in ("TIFF", "MPO") and not _ORIENTED.intersection(image.info):
        return image  # looking for a block that is not there takes as long as decoding a word
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            turned = image.getexif().get(0x0112, 1) != 1  # the tag Orientation
            return ImageOps.exif_transpose(image) if turned else image
    except Exception:  # a damaged EXIF block says nothing, and the picture is whole
        return image


def decode_sample(stored: EncodedSample) -> Sample:
    """The sample with its picture decoded; raises CorruptSample as `decode` does."""
    image = decode(stored.content, stored.key)
    return Sample(image, stored.text, stored.key, stored.extra, stored.regions, stored.flaws)


def split_page(name: str | os.PathLike) -> tuple[Path, int]:
    """`scan.tif#2` as the file and the number of its page; a file whose own name ends like that is itself."""
    text = os.fspath(name)
    path, mark, number = text.rpartition("#")
    numbered = mark and path and re.fullmatch("[1-9][0-9]{0,5}", number)
    return (Path(path), int(number)) if numbered and not os.path.lexists(text) else (Path(text), 1)


def list_pages(path: Path) -> list[Path]:
    """A picture file as the names of its pages: itself, `path#2`, `path#3` …; only itself where it does not open."""
    further: list[int] = []
    if path.is_file():  # a pipe would keep whoever opens it waiting
        try:
            with open(path, "rb") as file:
                further = _further_pages(file)
        except OSError:  # whoever opens the picture says what is wrong with it
            pass
    return [path, *(path.with_name(f"{path.name}#{number}") for number in further)]


def _further_pages(file: BinaryIO) -> list[int]:
    """The numbers of an opened file's pages from the second on, `MAX_PAGES` at most, less those that are a smaller
    copy or a mask of another.
    """
    if file.read(4) not in [start for starts in PAGED.values() for start in starts]:
        return []
    file.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(file)
            count = min(getattr(image, "n_frames", 1), MAX_PAGES) if image.format in PAGED else 1
            return [number for number in range(2, count + 1) if not _is_copy(image, number)]
    except Exception:  # Pillow's plug-ins raise almost anything on hostile bytes
        return []


def _is_copy(image: Image.Image, page: int) -> bool:
    """Whether a page is a thumbnail or a mask of another; a damaged one is a page, so that its damage is said."""
    try:
        image.seek(page - 1)
        return bool(image.tag_v2.get(_SUBFILE, 0) & _NO_PAGE)
    except Exception:
        return False


def open_file(name: str | os.PathLike) -> Image.Image:
    """The picture in a file, or the page that `path#2` names. Raises UserError in one line."""
    try:
        path, page = split_page(name)
        if path.exists() and not path.is_file():
            raise UserError(f"{name}: is no ordinary file")
        with open(path, "rb") as file:  # a page of a long scan is read alone
            return _load(file, os.fspath(name), page)
    except CorruptSample as corrupt:
        raise UserError(str(corrupt)) from corrupt
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{str(name)[:200]}: cannot be opened ({getattr(error, 'strerror', None) or error})") from error


def open_bytes(content: bytes) -> Image.Image:
    """The picture in the bytes of a file. Raises UserError in one line."""
    try:
        return decode(content, "a picture in memory")
    except CorruptSample as corrupt:
        raise UserError(str(corrupt)) from corrupt


def from_array(array: np.ndarray) -> Image.Image:
    """An array as a picture: (H, W), or with 1-4 channels (grey, grey and opacity, RGB, RGBA) last or first.

    uint8 as it is, bool as black and white, other numbers scaled by what they hold. Raises UserError.
    """
    planes = array
    if array.ndim == 3 and array.shape[2] not in (1, 2, 3, 4) and array.shape[0] in (1, 3, 4):
        planes = array.transpose(1, 2, 0)
    if planes.ndim == 3 and planes.shape[2] == 1:
        planes = planes[:, :, 0]
    fits = planes.ndim == 2 or (planes.ndim == 3 and planes.shape[2] in (2, 3, 4))
    if array.dtype.kind not in "buif" or not fits or 0 in array.shape:
        raise UserError(
            f"an array {array.dtype}{list(array.shape)} is no picture; give uint8 (H, W) or (H, W, 3), or numbers of "
            "which the least is black"
        )
    if planes.shape[0] * planes.shape[1] > MAX_PIXELS:
        raise UserError(f"an array {array.dtype}{list(array.shape)} is too large a picture")
    plain = array.dtype == np.uint8 and array.max() > 1  # else black and white are 0 and 1
    return Image.fromarray(np.ascontiguousarray(planes if plain else scale_to_bytes(planes)))
