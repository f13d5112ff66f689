"""From a reader to checked records, in worker processes and in order: what writers of data sets share."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import TypeGuard

from PIL import Image
from tqdm import tqdm

from data_tools.images import decode
from data_tools.sample import CorruptSample, EncodedSample, Reader
from data_tools.workers import Pool

logger = logging.getLogger(__name__)

Encode = Callable[[Image.Image], bytes]

_PER_JOB = 32
_NAMED = 200


def png(image: Image.Image) -> bytes:
    """Lossless; about 2 kB for a grey word of 32 x 100."""
    return _encode(image, format="PNG", compress_level=1)


def jpeg(image: Image.Image) -> bytes:
    """JPEG of quality 95, about half of PNG's size for a word."""
    return _encode(image if image.mode in ("L", "RGB") else image.convert("RGB"), format="JPEG", quality=95)


def _encode(image: Image.Image, **options) -> bytes:
    buffer = BytesIO()
    image.save(buffer, **options)
    return buffer.getvalue()


@dataclass(frozen=True)
class WriteReport:
    """What a writer did: samples in the data set now, and samples left out, counted by reason."""

    count: int
    skipped: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class EncodeRecords:
    """A worker's task: positions of a reader to checked records, or the reasons why not.

    Pictures that a reader has as files are decoded to check them and kept as they are; others are encoded.
    """

    reader: Reader
    encode: Encode

    def __call__(self, start: int, stop: int) -> list[EncodedSample | CorruptSample]:
        return [self._one(index) for index in range(start, stop)]

    def _one(self, index: int) -> EncodedSample | CorruptSample:
        try:
            if hasattr(self.reader, "stored"):
                record = self.reader.stored(index)
                decode(record.content, record.key)
            else:
                sample = self.reader[index]
                content, extra = self.encode(sample.image), dict(sample.extra)
                record = EncodedSample(content, sample.text, sample.key, extra, sample.regions)
            _check_texts(record)
        except CorruptSample as corrupt:
            return corrupt
        return record


def encode_records(
    reader: Reader, encode: Encode, workers: int, start: int, progress: str
) -> Iterator[list[EncodedSample | CorruptSample]]:
    """The records of `reader` from position `start` on, a few dozen at a time, in order; a progress bar on stderr."""
    pool = Pool(EncodeRecords(reader, encode), workers)
    jobs = ((at, min(at + _PER_JOB, len(reader))) for at in range(start, len(reader), _PER_JOB))
    try:
        with tqdm(total=len(reader), initial=start, desc=progress, unit=" samples", disable=None) as bar:
            for records in pool.run(jobs):
                yield records
                bar.update(len(records))
    finally:
        pool.close()


def is_good(record: EncodedSample | CorruptSample, skipped: Counter[str]) -> TypeGuard[EncodedSample]:
    """Whether it can be written; if not, it is counted in `skipped` and named in the log."""
    if isinstance(record, EncodedSample):
        return True
    skipped[record.why] += 1
    if skipped.total() <= _NAMED:
        logger.warning("left out %s: %s", record.key, record.why)
    return False


def _check_texts(record: EncodedSample) -> None:
    for kind, text in {"label": record.text, **record.extra}.items():
        if not text.strip():
            raise CorruptSample(record.key, f"the {kind} is empty", "label")
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise CorruptSample(record.key, f"the {kind} cannot be written as UTF-8", "label") from None
