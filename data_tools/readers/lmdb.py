"""LMDBs in the layout that text recognisers share: `num-samples`, `image-%09d`, `label-%09d`, counted from 1.

Any further `NAME-%09d` texts (a score's `agnostic-%09d`) come as `Sample.extra`; image and label are enough, so records
that some samples lack, or that hold no text (a mask), are passed over.
"""

from __future__ import annotations

import os
import subprocess
import sys
import weakref
from pathlib import Path

import lmdb

from data_tools.errors import UserError
from data_tools.images import decode_sample
from data_tools.sample import CorruptSample, EncodedSample, Sample
from data_tools.text import trim

NUM_SAMPLES = b"num-samples"
_MAGIC = b"\xde\xc0\xef\xbe"

_environments: weakref.WeakValueDictionary[tuple[int, str], lmdb.Environment] = weakref.WeakValueDictionary()


def record_key(kind: str, index: int) -> bytes:
    """The key of sample `index` (from 0), such as `image-000000001`."""
    return b"%s-%09d" % (kind.encode(), index + 1)


class LmdbReader:
    """One LMDB, a folder with data.mdb or a single file. Opened without locks: nobody may write to it meanwhile.

    Not `labelled`, its labels are not looked at and all empty. Raises UserError where it is no LMDB, a truncated one,
    empty, or does not say how many samples it has.
    """

    def __init__(self, path: str | Path, labelled: bool = True):
        self.path, self._labelled = Path(path), labelled
        self._environment: lmdb.Environment | None = None
        self._owner = 0
        try:
            refuse_truncated(self.path)
            with self._begin() as transaction:
                self._length = _count(self.path, transaction)
                self._extra = [kind for kind in _kinds(transaction) if kind not in ("image", "label")]
        except lmdb.Error as error:
            raise UserError(f"{self.path}: is damaged ({error}); copy or write it again") from error

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Sample:
        return decode_sample(self.stored(index))

    def stored(self, index: int) -> EncodedSample:
        """Sample `index` with its picture as it lies in the file."""
        if not 0 <= index < self._length:
            raise IndexError(index)
        key = record_key("image", index).decode()
        with self._begin() as transaction:
            text = _text(transaction, "label", index, key) if self._labelled else ""
            extra = {kind: found for kind in self._extra if (found := _further(transaction, kind, index))}
            content = _value(transaction, "image", index, key)
        return EncodedSample(content, text, key, extra)

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
    said = trim(transaction.get(NUM_SAMPLES, b"").decode("ascii", "replace"))
    if not (said.isascii() and said.isdigit()) or len(said) > 100:
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
    part = "image" if kind == "image" else "label"
    try:
        value = transaction.get(record_key(kind, index))
    except lmdb.Error as error:
        raise CorruptSample(key, f"the {kind} cannot be read from the LMDB", part) from error
    if value is None:
        raise CorruptSample(key, f"the {kind} is missing", part)
    return value


def _text(transaction: lmdb.Transaction, kind: str, index: int, key: str) -> str:
    try:
        text = trim(_value(transaction, kind, index, key).decode("utf-8"))
    except UnicodeDecodeError:
        raise CorruptSample(key, f"the {kind} is not UTF-8", "label") from None
    if not text:
        raise CorruptSample(key, f"the {kind} is empty", "label")
    return text


def _further(transaction: lmdb.Transaction, kind: str, index: int) -> str:
    """A further text of a sample; nothing where it has none."""
    try:
        value = transaction.get(record_key(kind, index))
        text = value.decode("utf-8") if value is not None else ""
    except (lmdb.Error, UnicodeDecodeError):
        return ""
    return "" if "\0" in text else trim(text)


def has_record(path: Path, key: bytes) -> bool:
    """Whether an LMDB has a record of that key. Raises UserError where it cannot be opened."""
    environment = _open(path)
    with environment.begin() as transaction:
        return transaction.get(key) is not None


def refuse_truncated(path: Path) -> None:
    """A page that is missing at the end, or overwritten to point beyond it, would kill the process (SIGBUS), so another
    one goes first: always where the file is small, else where its end is missing.
    """
    file = path / "data.mdb" if path.is_dir() else path
    small = file.is_file() and file.stat().st_size <= WALKED
    code = _walk(path) if small else 0
    if code < 0:
        raise UserError(f"{file}: is truncated or damaged, reading it would end this process; copy or write it again")
    environment = _open(path)
    expected = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
    found = file.stat().st_size
    if found < expected and (code if small else _walk(path)):
        raise UserError(f"{file}: is truncated ({found} bytes of {expected}); copy or write it again")


WALKED = 64 * 2**20
"""Bytes up to which every record of an LMDB is touched before it is opened: 0.1 s."""
_PATIENCE = 120
_WALK = """
import lmdb, os, sys
path = sys.argv[1]
environment = lmdb.open(path, subdir=os.path.isdir(path), readonly=True, lock=False, create=False)
with environment.begin(buffers=True) as transaction:
    for key, value in transaction.cursor():
        bytes(value[::4096]), bytes(value[-1:])
        transaction.get(bytes(key))
"""


def _walk(path: Path) -> int:
    """How another process ends that touches every record: 0, above 0 where LMDB raises an error, below where it dies or
    goes in a circle. LMDB may leave its last pages unwritten when they are free, so a file may be short and whole.
    """
    try:
        command = [sys.executable, "-c", _WALK, str(path)]
        return subprocess.run(command, capture_output=True, timeout=_PATIENCE).returncode
    except subprocess.TimeoutExpired:
        return -1
