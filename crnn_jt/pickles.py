"""Weights out of pickles (torch.save, jt.save, paddle.save, numpy) without running anything that a pickle asks for.

A pickle is a program: it may name any function and have it called. Here only the few names below mean anything, and
each stands for a constructor of this file that keeps numbers; every other name ends the reading, before it is called.
Formats: torch.save's zip files and the format before (PyTorch's serialization.py), jt.save, paddle.save, plain
pickles of arrays.
"""

from __future__ import annotations

import hashlib
import io
import math
import pickle
import pickletools
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_tools.errors import UserError

_TORCH_MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of torch.save before 1.6 (torch/serialization.py)
_JITTOR_END = b"HCAJSLHD"  # how a file of jt.save ends (jittor/__init__.py)
_BFLOAT16 = "bfloat16"
_STORAGES = {  # torch's classes of storages, and numpy's name for their numbers
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": _BFLOAT16,
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "|b1",
}
_NUMBERS = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")
# Bounds, so that a small file cannot ask for endless work. Real ones hold a few thousand things, four levels deep.
_DEPTH = 8
_MOST = 100_000
_GROWTH = 8  # the arrays' bytes, as a multiple of the file's: bfloat16 doubles, tensors may share storages


class _Refused(Exception):
    """The pickle holds what is not weights; the message says what."""


def read_pickle(path: str | Path) -> dict[str, Any]:
    """The mapping that a pickle file holds, tensors and Jittor variables as numpy arrays (bfloat16 as float32).

    Nothing of the file is executed. Raises UserError where it is damaged, no pickle, or holds any object but mappings,
    lists, numbers, text, arrays and tensors; the object is named.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        found = _read_zip(content) if content[:4] == b"PK\x03\x04" else _read_plain(content)
        found = _resolve(found, _Budget(_MOST, _GROWTH * len(content)))
    except _Refused as error:
        raise UserError(f"{path}: {error}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    except Exception as error:  # a damaged pickle can end in any exception of the unpickler
        raise UserError(f"{path}: is no whole pickle of weights ({' '.join(str(error).split())[:80]})") from error
    if not isinstance(found, dict):
        raise UserError(f"{path}: holds {type(found).__name__}, not a mapping of names to arrays")
    return found


class _Closed:
    """An object that a pickle can pass on, but not change: its opcode BUILD is refused."""

    def __setstate__(self, state) -> None:
        raise _Refused("is damaged: it changes what it should only name")


class _Mapping(dict):
    """An OrderedDict; PyTorch hangs `_metadata` on it, which is passed over."""

    def __setstate__(self, state) -> None:
        pass


@dataclass(frozen=True)
class _Name(_Closed):
    """What an allowed name stands for."""

    make: Callable[..., Any]

    def __call__(self, *arguments):
        return self.make(*arguments)


@dataclass
class _Storage(_Closed):
    """A torch storage: `kind` of its numbers, how many; `content` once it has been found."""

    kind: str
    count: int
    content: bytes = b""

    @property
    def width(self) -> int:
        return 2 if self.kind == _BFLOAT16 else np.dtype(self.kind).itemsize

    def numbers(self) -> np.ndarray:
        if self.count < 0 or len(self.content) != self.count * self.width:
            raise _Refused(f"is damaged: a tensor of {self.count} numbers has {len(self.content)} bytes")
        if self.kind == _BFLOAT16:
            return (np.frombuffer(self.content, "<u2").astype(np.uint32) << 16).view(np.float32)
        return np.frombuffer(self.content, self.kind)


@dataclass(frozen=True)
class _Tensor(_Closed):
    """A view of a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self) -> np.ndarray:
        numbers = self.storage.numbers()
        if len(self.shape) != len(self.strides) or min((0, self.offset, *self.shape, *self.strides)) < 0:
            raise _Refused("is damaged: a tensor has an impossible shape")
        if 0 in self.shape:
            return np.zeros(self.shape, numbers.dtype)
        # The highest number that the view touches must lie in the storage, or it would read other memory.
        last = self.offset + sum((size - 1) * stride for size, stride in zip(self.shape, self.strides))
        if last >= len(numbers) or math.prod(self.shape) > len(numbers):
            raise _Refused("is damaged: a tensor reaches beyond its storage")
        steps = [stride * numbers.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(numbers[self.offset :], self.shape, steps).copy()


class _DType:
    """numpy.dtype(kind, …), then its byte order by BUILD; plain numbers only."""

    def __init__(self, kind):
        if kind not in _NUMBERS:
            raise _Refused(f"holds an array of {kind!r}, which is not plain numbers")
        self.kind = "<" + kind

    def __setstate__(self, state: tuple) -> None:
        if state[1] not in ("<", ">", "|", "="):
            raise _Refused("is damaged: an array has no byte order")
        self.kind = ("<" if state[1] == "=" else state[1]) + self.kind[1:]


class _Array:
    """numpy's `_reconstruct`, filled by BUILD with (version, shape, dtype, in Fortran order, bytes)."""

    def __init__(self):
        self.found: np.ndarray | None = None

    def __setstate__(self, state: tuple) -> None:
        _, shape, kind, fortran, content = state
        self.found = _shape(content, kind, shape, "F" if fortran else "C")

    def array(self) -> np.ndarray:
        if self.found is None:
            raise _Refused("is damaged: an array has no content")
        return self.found


def _shape(content, kind: _DType, shape: tuple[int, ...], order: str) -> np.ndarray:
    """Bytes as an array of that kind and shape, if they are just as many."""
    content = content.encode("latin-1") if isinstance(content, str) else bytes(content)
    if not isinstance(kind, _DType) or math.prod(shape) * np.dtype(kind.kind).itemsize != len(content):
        raise _Refused("is damaged: an array's bytes do not fit its shape")
    return np.frombuffer(content, kind.kind).reshape(shape, order=order).copy()


def _from_buffer(content, kind: _DType, shape: tuple[int, ...], order: str) -> _Array:
    array = _Array()
    array.__setstate__((1, shape, kind, order == "F", content))
    return array


def _scalar(kind: _DType, content) -> float | int | bool:
    """numpy's scalar (dtype, bytes)."""
    return _shape(content, kind, (), "C").item()


def _tensor(storage, offset, shape, strides, *_) -> _Tensor:
    """torch's `_rebuild_tensor_v2` (storage, offset, shape, strides, …)."""
    if not isinstance(storage, _Storage):
        raise _Refused("is damaged: a tensor has no storage")
    return _Tensor(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


def _storage(identity: tuple) -> _Storage:
    """A storage as a persistent id names it: ("storage", kind, key, place, count …)."""
    kind, count = identity[1], identity[4]
    if kind not in _STORAGES.values() or not isinstance(count, int):
        raise _Refused("is damaged: it names a storage of an unknown kind")
    return _Storage(kind, count)


def _first(value, *_):
    """What is left of a Parameter or a Var: its tensor or array."""
    return value


def _pair(value):
    """paddle.save's `tuple((name, array))`."""
    if not isinstance(value, tuple):
        raise _Refused("is damaged: it makes a tuple of something else")
    return value


def _encode(text: str, encoding: str) -> bytes:
    """`codecs.encode`, as old protocols write bytes, for the one encoding that they use."""
    if encoding not in ("latin1", "latin-1"):
        raise _Refused(f"asks for the encoding {encoding!r}")
    return text.encode("latin-1")


def _list_allowed() -> dict[tuple[str, str], _Name | str]:
    """What the names in a pickle may stand for: this file's own constructors. torch and Jittor are not imported."""
    names: dict[tuple[str, str], _Name | str] = {
        ("collections", "OrderedDict"): _Name(_Mapping),
        ("_codecs", "encode"): _Name(_encode),
        ("__builtin__", "bytes"): _Name(lambda: b""),  # how old protocols write an empty one
        ("__builtin__", "tuple"): _Name(_pair),
        ("builtins", "tuple"): _Name(_pair),
        ("numpy", "ndarray"): "numpy.ndarray",
        ("numpy", "dtype"): _Name(lambda kind, *_: _DType(kind)),
        ("torch._utils", "_rebuild_tensor_v2"): _Name(_tensor),
        ("torch._utils", "_rebuild_tensor"): _Name(_tensor),
        ("torch._utils", "_rebuild_parameter"): _Name(_first),
        ("jittor", "jittor_core.Var"): _Name(_first),
        ("jittor_core", "Var"): _Name(_first),
    }
    for core in ("numpy.core", "numpy._core"):
        names[f"{core}.multiarray", "_reconstruct"] = _Name(lambda *_: _Array())
        names[f"{core}.multiarray", "scalar"] = _Name(_scalar)
        names[f"{core}.numeric", "_frombuffer"] = _Name(_from_buffer)
    for storage, kind in _STORAGES.items():
        names["torch", storage] = kind
    return names


_ALLOWED = _list_allowed()


class _Reader(pickle.Unpickler):
    """An unpickler for which only `_ALLOWED` exists."""

    def __init__(self, file: io.BytesIO, storage: Callable[[tuple], _Storage] | None = None):
        super().__init__(file)
        self._file, self._storage = file, storage

    def load(self):
        """As any unpickler's, once it is known that no place of the memo lies beyond what the file can fill: all places
        up to the one that is named are allocated, 5 GB for 300 bytes.
        """
        start = self._file.tell()
        for opcode, place, _ in pickletools.genops(self._file):
            if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and place > self._file.getbuffer().nbytes:
                raise _Refused("is damaged: it claims more objects than it has bytes")
        self._file.seek(start)
        return super().load()

    def find_class(self, module: str, name: str):
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise _Refused(
                f"holds {module}.{name}, which is not weights; nothing of it was run. Save the model's state_dict alone"
            ) from None

    def persistent_load(self, identity):
        if self._storage is None:
            raise _Refused("refers to data outside the file")
        return self._storage(identity)


def _read_zip(content: bytes):
    """torch.save since 1.6: a zip of NAME/data.pkl and NAME/data/KEY, one for each storage."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {member.filename: member for member in archive.infolist()}
        main = next((name for name in members if name.rpartition("/")[2] == "data.pkl"), None)
        if main is None:
            raise _Refused("is a zip file, but not of torch.save (it holds no data.pkl)")
        folder = main[: -len("data.pkl")]
        if members.get(f"{folder}byteorder") and archive.read(f"{folder}byteorder") != b"little":
            raise _Refused("was written on a big-endian machine")
        if any(member.file_size > len(content) for member in members.values()):
            raise _Refused("is damaged: a member is larger than the file")

        storages: dict[str, _Storage] = {}

        def find(identity: tuple) -> _Storage:
            key = identity[2]
            if key not in storages:
                storages[key] = _storage(identity)
                storages[key].content = archive.read(f"{folder}data/{key}")
            return storages[key]

        return _Reader(io.BytesIO(archive.read(main)), find).load()


def _read_plain(content: bytes):
    """A file that is no zip: jt.save, torch.save before 1.6, or one plain pickle."""
    if content.endswith(_JITTOR_END):  # jt.save: a pickle, its SHA-1, this mark
        content, digest = content[:-28], content[-28:-8]
        if hashlib.sha1(content).digest() != digest:
            raise _Refused("is damaged: its check sum is another; copy it again")
    file = io.BytesIO(content)
    first = _Reader(file).load()
    found = _read_legacy(file) if first == _TORCH_MAGIC else first
    if file.read(1):
        raise _Refused("is damaged: something follows after its end")
    return found


def _read_legacy(file: io.BytesIO):
    """torch.save before 1.6: magic number, version, system, the pickle, the keys of the storages, then their bytes."""
    _Reader(file).load(), _Reader(file).load()
    storages: dict[str, _Storage] = {}

    def find(identity: tuple) -> _Storage:
        if len(identity) > 5 and identity[5] is not None:
            raise _Refused("holds views of storages, as PyTorch before 0.4 wrote them")
        return storages.setdefault(identity[2], _storage(identity))

    found = _Reader(file, find).load()
    for key in _Reader(file).load():
        (count,) = struct.unpack("<q", file.read(8))
        storages[key].content = file.read(max(0, count) * storages[key].width)
    return found


@dataclass
class _Budget:
    """What may still be made of a file: things, and bytes of arrays."""

    things: int
    weight: int


def _resolve(value, left: _Budget, depth: int = 0):
    """The plain form of what was read: dicts, lists, numbers and arrays, as long as there is something left."""
    left.things -= 1
    if left.things < 0 or left.weight < 0 or depth > _DEPTH:
        raise _Refused("holds more things, or deeper within each other, than weights do")
    if isinstance(value, _Tensor | _Array):
        array = value.array()
        left.weight -= array.nbytes
        return array
    if isinstance(value, dict):
        return {key: _resolve(item, left, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_resolve(item, left, depth + 1) for item in value]
    return value
