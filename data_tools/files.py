"""Files are written whole or not at all: a temporary name, fsync, rename."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from data_tools.errors import UserError


@contextmanager
def atomic_file(path: str | Path, mode: int = 0o644) -> Iterator[BinaryIO]:
    """Opens a binary file next to `path` and renames it to `path` when the block ends well; else leaves nothing.
    `mode` are the permissions that it gets.

    Raises UserError where the folder cannot be written or the disk is full; an older file at `path` is then intact.
    What is no ordinary file (/dev/null, /dev/stdout, a pipe) is written as it is: a file must not take its place.
    """
    path = Path(path)
    temporary = None
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            with open(path, "wb", buffering=0) as file:
                yield file
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        why = error.strerror or error
        raise UserError(f"{path}: cannot be written ({why}); free space or name another place") from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def write_bytes(path: str | Path, content: bytes) -> None:
    """Writes `content` to `path`, whole or not at all."""
    with atomic_file(path) as file:
        file.write(content)


def write_text(path: str | Path, content: str) -> None:
    """Writes `content` as UTF-8 to `path`, whole or not at all."""
    write_bytes(path, content.encode("utf-8", "backslashreplace"))  # names of files may be no UTF-8
