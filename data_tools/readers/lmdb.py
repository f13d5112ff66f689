"""LMDBs in the layout that text recognisers share: `num-samples`, `image-%09d`, `label-%09d`, counted from 1.

Any further `NAME-%09d` texts (a score's `agnostic-%09d`) come as `Sample.extra`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import weakref
from pathlib import Path

import lmdb

from data_tools.errors import UserError
from data_tools.images import opened
from data_tools.sample import CorruptSample, Sample, Stored

NUM_SAMPLES = b"num-samples"
_MAGIC = b"\xde\xc0\xef\xbe"

_environments: weakref.WeakValueDictionary[tuple[int, str], lmdb.Environment] = weakref.WeakValueDictionary()


def record_key(kind: str, index: int) -> bytes:
    """The key of sample `index` (from 0), such as `image-000000001`."""
    return b"%s-%09d" % (kind.encode(), index + 1)


class LmdbReader:
    """One LMDB, a folder with data.mdb or a single file. Opened without locks: nobody may write to it meanwhile.

    Raises UserError where it is no LMDB, a truncated one, empty, or does not say how many samples it has.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._environment: lmdb.Environment | None = None
        self._owner = 0
        refuse_truncated(self.path)
        with self._begin() as transaction:
            self._length = _count(self.path, transaction)
            self._extra = [kind for kind in _kinds(transaction) if kind not in ("image", "label")]

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Sample:
        return opened(self.stored(index))

    def stored(self, index: int) -> Stored:
        """Sample `index` with its picture as it lies in the file."""
        if not 0 <= index < self._length:
            raise IndexError(index)
        key = record_key("image", index).decode()
        with self._begin() as transaction:
            text = _text(transaction, "label", index, key)
            extra = {kind: _text(transaction, kind, index, key) for kind in self._extra}
            content = _value(transaction, "image", index, key)
        return Stored(content, text, key, extra)

    def text(self, index: int) -> str:
        """The label of sample `index` alone; its picture is not looked at."""
        with self._begin() as transaction:
            return _text(transaction, "label", index, record_key("image", index).decode())

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_environment": None}

    def _begin(self) -> lmdb.Transaction:
        if self._environment is None or self._owner != os.getpid():
            self._environment, self._owner = _open(self.path), os.getpid()
        return self._environment.begin()


def is_lmdb(path: Path) -> bool:
    """Whether `path` is an LMDB: a folder with data.mdb, or a file that begins like one."""
    file = path / "data.mdb" if path.is_dir() else path
    try:
        with open(file, "rb") as opened:
            return opened.read(20)[16:] == _MAGIC or file.name == "data.mdb"
    except OSError:
        return False


def _open(path: Path) -> lmdb.Environment:
    """The environment of `path`; one a process, as LMDB demands."""
    place = os.getpid(), os.path.realpath(path)
    environment = _environments.get(place)
    if environment is None:
        try:
            environment = lmdb.open(
                str(path), subdir=path.is_dir(), readonly=True, lock=False, readahead=False, meminit=False, create=False
            )
        except (lmdb.Error, OSError) as error:
            raise UserError(f"{path}: cannot be opened as an LMDB ({error}); was it copied whole?") from error
        _environments[place] = environment
    return environment


def _count(path: Path, transaction: lmdb.Transaction) -> int:
    said = transaction.get(NUM_SAMPLES)
    if said is None or not said.isdigit():
        raise UserError(f"{path}: has no num-samples; it is an LMDB of another layout")
    entries = transaction.stat()["entries"]
    if not int(said):
        raise UserError(f"{path}: is empty (num-samples is 0)")
    if int(said) > entries:
        raise UserError(f"{path}: num-samples says {int(said)}, but it holds {entries} records; write it again")
    return int(said)


def _kinds(transaction: lmdb.Transaction) -> list[str]:
    """The kinds of record there are (image, label …), found by jumping from one kind to the next."""
    kinds, place = [], b""
    with transaction.cursor() as cursor:
        while cursor.set_range(place):
            kind, _, number = cursor.key().rpartition(b"-")
            if number.isdigit():
                kinds.append(kind.decode("utf-8", "replace"))
                place = kind + b"."  # the byte after "-"
            else:
                place = cursor.key() + b"\0"
    return kinds


def _value(transaction: lmdb.Transaction, kind: str, index: int, key: str) -> bytes:
    try:
        value = transaction.get(record_key(kind, index))
    except lmdb.Error as error:
        raise CorruptSample(key, f"the {kind} cannot be read from the LMDB") from error
    if value is None:
        raise CorruptSample(key, f"the {kind} is missing")
    return value


def _text(transaction: lmdb.Transaction, kind: str, index: int, key: str) -> str:
    try:
        text = _value(transaction, kind, index, key).decode("utf-8")
    except UnicodeDecodeError:
        raise CorruptSample(key, f"the {kind} is not UTF-8") from None
    if not text.strip():
        raise CorruptSample(key, f"the {kind} is empty")
    return text


def refuse_truncated(path: Path) -> None:
    """A page that is missing at the end would kill the process that reads it (SIGBUS), so that is looked for first."""
    file = path / "data.mdb" if path.is_dir() else path
    environment = _open(path)
    expected = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
    found = file.stat().st_size
    if found < expected and not _survives(path):
        raise UserError(f"{file}: is truncated ({found} bytes of {expected}); copy or write it again")


_WALK = """
import lmdb, os, sys
path = sys.argv[1]
environment = lmdb.open(path, subdir=os.path.isdir(path), readonly=True, lock=False, create=False)
with environment.begin(buffers=True) as transaction:
    for key, value in transaction.cursor():
        bytes(value[-1:])
"""


def _survives(path: Path) -> bool:
    """Whether another process can touch every record: LMDB may leave its last pages unwritten when they are free."""
    return subprocess.run([sys.executable, "-c", _WALK, str(path)], capture_output=True).returncode == 0
