"""Writes any reader's samples to an LMDB in the shared layout: `num-samples`, `image-%09d`, `label-%09d` from 1.

The map grows as it fills. Records are committed in batches, each with the `num-samples` that is then true, so that a
run that ends anyhow, SIGKILL included, leaves a data set that opens with what was committed.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import lmdb

from data_tools.errors import UserError
from data_tools.readers.lmdb import NUM_SAMPLES, has_record, record_key, refuse_truncated
from data_tools.records import Encode, WriteReport, encode_records, is_good, png
from data_tools.sample import CorruptSample, EncodedSample, Reader

_PROGRESS = b"progress"
_FIRST_MAP = 64 * 2**20
_BATCH = 1024
"""Samples between two commits, unless their pictures weigh more than _BATCH_BYTES before."""
_BATCH_BYTES = 32 * 2**20


def write_lmdb(
    reader: Reader,
    path: str | Path,
    *,
    workers: int = 0,
    resume: bool = False,
    encode: Encode = png,
    source: str = "",
    batch: int = _BATCH,
) -> WriteReport:
    """Writes all samples of `reader` to a new LMDB folder `path`; the same records for any number of `workers`.

    Pictures of readers of files are checked and kept byte for byte, others are written by `encode` (records.png or
    records.jpeg). `Sample.extra` becomes further records (`agnostic-%09d`). Corrupt samples are counted, named in the
    log and left out; numbers stay consecutive. With `resume` an interrupted run goes on where its last commit was;
    `source` says what the reader is (seed, recipe …): a run is resumed only with the same `source` and length.
    `reader` and `encode` must be picklable where there are workers. Progress goes to stderr.

    Raises UserError where `path` exists (without `resume`), is complete, belongs to another source, cannot be written,
    the disk is full, or not one sample is good.
    """
    writer = _Writer(Path(path), source, len(reader), resume)
    try:
        for records in encode_records(reader, encode, workers, writer.next, Path(path).name):
            writer.add(records)
            if len(writer.pending) >= batch or writer.weight >= _BATCH_BYTES:
                writer.commit()
        writer.commit(last=True)
    finally:
        writer.close()
    if not writer.count:
        raise UserError(f"{path}: not one of {len(reader)} samples is good; nothing was written")
    return WriteReport(writer.count, writer.skipped)


def is_complete(path: str | Path) -> bool:
    """Whether there is an LMDB that `write_lmdb` finished. Raises UserError for what cannot be read."""
    path = Path(path)
    if not path.exists():
        return False
    refuse_truncated(path)
    return has_record(path, NUM_SAMPLES) and not has_record(path, _PROGRESS)


class _Writer:
    """The LMDB and how far it is: `next` position of the reader, `count` samples, those `pending` a commit."""

    def __init__(self, path: Path, source: str, length: int, resume: bool):
        self.path, self.source, self.length = path, source, length
        self.next = self.count = 0
        self.skipped: Counter[str] = Counter()
        self.pending: list[EncodedSample] = []
        if path.exists() and not resume:
            raise UserError(f"{path}: exists already; name another place, or resume the run that made it (--resume)")
        if path.exists():
            refuse_truncated(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._environment = lmdb.open(str(path), map_size=_FIRST_MAP)
        except (OSError, lmdb.Error) as error:
            raise UserError(f"{path}: no LMDB can be written here ({error})") from error
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        """Takes up what is there, or marks an empty beginning."""
        size = self._environment.info()["map_size"]
        self._environment.set_mapsize(max(size, _FIRST_MAP))
        with self._environment.begin() as transaction:
            count, progress = transaction.get(NUM_SAMPLES), transaction.get(_PROGRESS)
        if count is None:
            self.commit()
            return
        if progress is None:
            raise UserError(f"{self.path}: is complete already, with {int(count)} samples; there is nothing to resume")
        state = json.loads(progress)
        if (state["source"], state["length"]) != (self.source, self.length):
            raise UserError(f"{self.path}: was begun with other options or another source; resume with the same")
        self.next, self.count, self.skipped = state["next"], int(count), Counter(state["skipped"])

    @property
    def weight(self) -> int:
        """Bytes of the pictures that are pending."""
        return sum(len(stored.content) for stored in self.pending)

    def add(self, records: list[EncodedSample | CorruptSample]) -> None:
        self.pending += [record for record in records if is_good(record, self.skipped)]
        self.next += len(records)

    def commit(self, last: bool = False) -> None:
        """Writes what is pending; the last commit takes the mark of an unfinished run away."""
        count = self.count + len(self.pending)
        state = {"next": self.next, "length": self.length, "source": self.source, "skipped": self.skipped}
        while True:
            try:
                with self._environment.begin(write=True) as transaction:
                    for index, stored in enumerate(self.pending, self.count):
                        _put(transaction, index, stored)
                    transaction.put(NUM_SAMPLES, b"%d" % count)
                    transaction.delete(_PROGRESS) if last else transaction.put(_PROGRESS, json.dumps(state).encode())
                self.count, self.pending = count, []
                return
            except lmdb.MapFullError:
                self._environment.set_mapsize(2 * self._environment.info()["map_size"])
            except (lmdb.Error, OSError) as error:
                raise UserError(
                    f"{self.path}: cannot be written ({error}); what was committed is safe: free space and resume"
                ) from error

    def close(self) -> None:
        self._environment.close()


def _put(transaction: lmdb.Transaction, index: int, stored: EncodedSample) -> None:
    transaction.put(record_key("image", index), stored.content)
    for kind, text in {"label": stored.text, **stored.extra}.items():
        transaction.put(record_key(kind, index), text.encode("utf-8"))
