"""How much memory a process that reads many pictures holds."""

from __future__ import annotations

import ctypes
from contextlib import suppress

from PIL import Image

LARGE = 8 << 20
"""Bytes of a block that is given back to the system as soon as it is free. glibc soon keeps blocks up to 32
MB, and what pictures of one size leave is in pieces when those of another come.
"""
LARGE_PICTURE = 8_000_000
"""Pixels from which on a picture is worth the milliseconds that giving back takes, and the memory."""
_MMAP_THRESHOLD = -3  # glibc's number of it


def give_back_memory() -> None:
    """Has the allocator of this process keep no large free blocks; elsewhere than on glibc it does as it likes."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, LARGE)


def give_back_what_is_free() -> None:
    """The same of all that is free just now: opening a language leaves a third of what it takes in pieces."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def make_room_beside(image: Image.Image) -> None:
    """The same where a large picture is about to be read: the ones before it left some 40 MB in pieces, just when the
    most is needed.
    """
    if image.width * image.height >= LARGE_PICTURE:
        give_back_what_is_free()
