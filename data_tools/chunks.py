"""Chunks: the records that a loader's worker makes of some samples; and a folder that keeps them for a second use.

Rendering and decoding take longer than learning on a fast machine. With a folder named, a second epoch, another
training on the same samples or one that runs at the same time takes the chunks from there. One file a chunk, written
whole or not at all; a chunk that another process is making is waited for. A file's name hashes recipe, seed, order and
the code that makes it, so that a stale one is never used.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_tools.errors import UserError
from data_tools.files import write_bytes
from data_tools.sample import CorruptSample


@dataclass(frozen=True)
class Chunk:
    """Records, dicts of arrays and strings as a collate makes them, and the samples of which none could be made.

    In a pickle or a file the arrays of a field lie end to end: a chunk of pictures travels as one array of pixels.
    """

    records: Sequence[dict[str, np.ndarray | str]]
    skipped: Sequence[CorruptSample] = ()

    def __reduce__(self):
        return _chunk, (*_pack(self.records), list(self.skipped))


def _chunk(texts: dict[str, list[str]], arrays: dict[str, np.ndarray], skipped: list[CorruptSample]) -> Chunk:
    return Chunk(_unpack(texts, arrays), skipped)


def _pack(records: Sequence[dict[str, np.ndarray | str]]) -> tuple[dict[str, list[str]], dict[str, np.ndarray]]:
    """Strings by field, and for each field of arrays `NAME.flat` (all elements) and `NAME.shapes` (N, dimensions)."""
    texts, arrays = {}, {}
    for name, first in records[0].items() if records else ():
        values = [record[name] for record in records]
        if isinstance(first, str):
            texts[name] = values
            continue
        if any(each.dtype != first.dtype or each.ndim != first.ndim for each in values):
            raise TypeError(f"field {name}: arrays of several types or numbers of dimensions")
        arrays[f"{name}.flat"] = np.concatenate([each.reshape(-1) for each in values])
        arrays[f"{name}.shapes"] = np.array([each.shape for each in values], np.int32)
    return texts, arrays


def _unpack(texts: dict[str, list[str]], arrays: dict[str, np.ndarray]) -> list[dict[str, np.ndarray | str]]:
    """The records that `_pack` was given; their arrays are views."""
    fields = dict(texts)
    for flat in (name for name in arrays if name.endswith(".flat")):
        name = flat.removesuffix(".flat")
        fields[name] = _split(arrays[flat], arrays[f"{name}.shapes"])
    return [dict(zip(fields, values)) for values in zip(*fields.values())]


def _split(flat: np.ndarray, shapes: np.ndarray) -> list[np.ndarray]:
    if (shapes == shapes[0]).all():
        return list(flat.reshape(shapes.shape[0], *shapes[0]))
    ends = np.cumsum(np.prod(shapes, axis=1, dtype=np.int64)).tolist()
    return [flat[start:end].reshape(shape) for start, end, shape in zip([0, *ends], ends, shapes.tolist())]


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
        chunk = _read(path)
        if chunk is not None:
            return chunk
        with _hold_lock(path.with_suffix(".busy")):
            chunk = _read(path)  # whoever had the lock before may have made it
            if chunk is None:
                chunk = make()
                write_bytes(path, _encode(chunk))
            return chunk


@contextmanager
def _hold_lock(path: Path) -> Iterator[None]:
    """Holds the lock of a file that lasts as long as the block. The system frees it when its holder dies.

    Who waited gets the lock of a file that is gone by then, which does no harm: what it was about is made.
    """
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); free space or name another folder") from error
    try:
        with suppress(OSError):  # on a file system without locks something may be made twice
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _fingerprint(task: Any) -> str:
    """A name for all that a chunk depends on apart from its samples: the task, and the code that makes it."""
    digest = hashlib.sha256(pickle.dumps(task, protocol=5))
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def _encode(chunk: Chunk) -> bytes:
    texts, arrays = _pack(chunk.records)
    labels = {"texts": texts, "skipped": [(sample.key, sample.why, sample.part) for sample in chunk.skipped]}
    content = io.BytesIO()
    np.savez(content, labels=np.frombuffer(json.dumps(labels).encode(), np.uint8), **arrays)
    return content.getvalue()


def _read(path: Path) -> Chunk | None:
    """The chunk in a file; None where there is none, or no whole one."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        labels = json.loads(arrays.pop("labels").tobytes())
        return _chunk(labels["texts"], arrays, [CorruptSample(*each) for each in labels["skipped"]])
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None
