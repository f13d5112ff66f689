"""Pictures as people hand them over: files, folders, pages, bytes, arrays and PIL images."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageFile

from data_tools import images
from data_tools.errors import UserError
from data_tools.readers.walk import is_side

Picture = Image.Image | np.ndarray | str | os.PathLike | bytes | BinaryIO


def open_picture(image: Picture) -> Image.Image:
    """A PIL image, array, path (`path#2`: a page) or the bytes of a file as an upright PIL image. Raises UserError.

    A PIL image just opened from a file is turned as its EXIF orientation says; what was made of one is taken as it is.
    """
    if isinstance(image, Image.Image):
        if 0 in image.size:
            raise UserError(f"a picture of {image.width} x {image.height} pixels shows nothing")
        try:
            image.load()
        except (OSError, ValueError, SyntaxError) as error:
            raise UserError(f"{getattr(image, 'filename', '') or 'a picture'}: cannot be decoded ({error})") from error
        return images.turn_upright(image) if isinstance(image, ImageFile.ImageFile) else image
    if hasattr(image, "read"):
        image = _read_stream(image)
    if isinstance(image, bytes | bytearray | memoryview):
        return images.open_bytes(bytes(image))
    if hasattr(image, "__array__") and not isinstance(image, str):  # numpy's own strings are paths
        return images.from_array(np.asarray(image))
    return images.open_file(image)


def _read_stream(stream: BinaryIO) -> bytes:
    try:
        content = stream.read()
    except (OSError, ValueError) as error:  # among them UnicodeDecodeError of a file that was opened as text
        raise UserError(f"a picture cannot be read from {type(stream).__name__} ({error})") from error
    if not isinstance(content, bytes):
        raise UserError(f'a picture cannot be read from {type(stream).__name__}, which gives text; open it with "rb"')
    return content


def expand(
    paths: Sequence[str],
    pages: Callable[[Path], list[Path]] = images.list_pages,
    further: Sequence[str] = (),
) -> list[Path]:
    """Files of paths, folders (their pictures, sorted) and globs; each page by itself, the second as `path#2`.

    `pages` names those of a file, `further` endings are those of pictures too. Raises UserError for what is not there.
    """
    import glob

    formats = Image.registered_extensions().items()
    endings = {ending for ending, name in formats if name in Image.OPEN and name not in images.UNREADABLE}
    endings.update(further)
    found: list[Path] = []
    for path in paths:
        file, page = images.split_page(path)
        if os.path.isdir(path):
            inside = sorted(p for p in Path(path).iterdir() if p.suffix.lower() in endings and p.is_file())
            inside = [p for p in inside if not is_side(p.name)]
            if not inside:
                raise UserError(f"{path}: no pictures in this folder")
            found += [each for one in inside for each in pages(one)]
        elif page > 1 and file.is_file():
            found.append(Path(path))
        elif os.path.exists(path):
            found += pages(Path(path))
        else:
            matches = [Path(match) for match in sorted(glob.glob(path, recursive=True)) if os.path.isfile(match)]
            if not matches:
                raise UserError(f"{path}: no such file, folder or pattern")
            found += [each for one in matches if not is_side(one.name) for each in pages(one)]
    return found
