"""Chunks: what a loader's worker makes of some samples; and a folder that keeps them, so that none is made twice.

Rendering and decoding take longer than learning on a fast machine. With a folder named, a second epoch, another
training on the same samples or one that runs beside this one takes the chunks from there. One file a chunk, written
whole or not at all; a chunk that another process is making is waited for. No file of another recipe, seed, order or
version of the code is taken for one's own: all of them are in its name.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import pickle
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_tools.errors import UserError
from data_tools.files import write_bytes
from data_tools.sample import CorruptSample

_GIVEN_UP = 60.0
"""Seconds after which a chunk that another process began is made here."""


@dataclass(frozen=True)
class Chunk:
    """Pixels of all samples end to end, uint8 (C, H, W) each; widths int32 (N,)."""

    pixels: np.ndarray
    widths: np.ndarray
    texts: list[str]
    keys: list[str]
    skipped: list[CorruptSample]


class ChunkCache:
    """Chunks of one `task` in a folder of their own below `folder`. Raises UserError where it cannot be made."""

    def __init__(self, folder: str | Path, task: Any):
        self.folder = Path(folder) / _fingerprint(task)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"--cache {folder}: cannot be made ({error.strerror}); name another folder") from error

    def get(self, make: Callable[[], Chunk], *identity: bytes) -> Chunk:
        """The chunk of `identity`, from the folder or else made and kept."""
        path = self.folder / f"{hashlib.sha256(b'|'.join(identity)).hexdigest()[:32]}.npz"
        busy = path.with_suffix(".busy")
        while (chunk := _read(path)) is None:
            if _claim(busy):
                try:
                    return _read(path) or _made(make, path)  # whoever had the claim may have been done just now
                finally:
                    busy.unlink(missing_ok=True)
            time.sleep(0.02)
        return chunk


def _made(make: Callable[[], Chunk], path: Path) -> Chunk:
    chunk = make()
    write_bytes(path, _packed(chunk))
    return chunk


def _fingerprint(task: Any) -> str:
    """A name for all that a chunk depends on beside its samples: the task, and the code that makes it."""
    digest = hashlib.sha256(pickle.dumps(task, protocol=5))
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def _claim(busy: Path) -> bool:
    """Whether this process is the one to make a chunk: nobody else is at it, or they gave up."""
    try:
        if time.time() - busy.stat().st_mtime > _GIVEN_UP:
            busy.unlink(missing_ok=True)
    except FileNotFoundError:
        pass
    with contextlib.suppress(FileExistsError):
        os.close(os.open(busy, os.O_CREAT | os.O_EXCL))
        return True
    return False


def _packed(chunk: Chunk) -> bytes:
    labels = {
        "texts": chunk.texts,
        "keys": chunk.keys,
        "skipped": [(sample.key, sample.why) for sample in chunk.skipped],
    }
    content = io.BytesIO()
    encoded = np.frombuffer(json.dumps(labels).encode(), np.uint8)
    np.savez(content, pixels=chunk.pixels, widths=chunk.widths, labels=encoded)
    return content.getvalue()


def _read(path: Path) -> Chunk | None:
    """The chunk in a file; None where there is none, or no whole one."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            labels = json.loads(arrays["labels"].tobytes())
            skipped = [CorruptSample(key, why) for key, why in labels["skipped"]]
            return Chunk(arrays["pixels"], arrays["widths"], labels["texts"], labels["keys"], skipped)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None
