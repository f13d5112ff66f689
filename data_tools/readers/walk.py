"""Walking through a folder of data sets: in the order of names, without side folders and loops, to a stated depth."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from data_tools.errors import UserError

logger = logging.getLogger(__name__)

DEPTH = 6
"""Levels of folders below the one that is named; published collections need three (`train/MJ/MJ_train`)."""
FOLDERS = 20_000
"""A tree with more folders than this is no collection of data sets but a disk."""
_SAID = 100


def is_side(name: str) -> bool:
    """Whether a file or folder is none of the user's: hidden (`._a.png`, `.DS_Store`) or left by an archiver."""
    return name.startswith(".") or name in ("__MACOSX", "Thumbs.db", "desktop.ini", "@eaDir")


def walk(
    root: Path, follow: bool = False, cut: list[Path] | None = None
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """As `os.walk`: a folder, the names of its folders (clear the list to go no deeper) and of its files.

    `follow` goes through links, never in a circle. Folders that lie too deep are left out and go to `cut`. Says in the
    log after every hundred folders where it is; raises UserError after `FOLDERS`.
    """
    seen: set[str] = set()
    for number, (here, inside, files) in enumerate(os.walk(root, followlinks=follow), 1):
        path, real = Path(here), os.path.realpath(here)
        if number % _SAID == 0:
            logger.warning("%s", f"{root}: {number:,} folders looked into, {DEPTH} levels deep at most, now {path}")
        if number > FOLDERS:
            raise UserError(f"{root}: has more than {FOLDERS:,} folders; name the folder of the data set itself")
        inside[:] = [] if real in seen else sorted(name for name in inside if not is_side(name))
        if real in seen:
            continue
        seen.add(real)
        if len(path.relative_to(root).parts) >= DEPTH and inside:
            if cut is not None:
                cut += [path / name for name in inside]
            inside.clear()
        yield path, inside, sorted(name for name in files if not is_side(name))
