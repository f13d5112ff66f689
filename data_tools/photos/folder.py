"""Writes photographs with regions as files: `image/NUMBER.jpg` and `gt/NUMBER.txt`, which `readers.quads` reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from data_tools.errors import UserError
from data_tools.files import write_bytes, write_text
from data_tools.readers.quads import format_region
from data_tools.sample import CorruptSample, Reader
from data_tools.workers import Pool

QUALITY = 92


@dataclass(frozen=True)
class _Encode:
    """A worker's task: position in the reader to (picture's bytes, annotation), or the reason why not."""

    reader: Reader

    def __call__(self, position: int) -> tuple[bytes, str] | CorruptSample:
        try:
            sample = self.reader[position]
        except CorruptSample as corrupt:
            return corrupt
        content = BytesIO()
        sample.image.convert("RGB").save(content, "JPEG", quality=QUALITY)
        return content.getvalue(), "".join(format_region(region) + "\n" for region in sample.regions)


def write_photos(
    reader: Reader, path: str | Path, workers: int = 0, report: Callable[[int], None] | None = None
) -> int:
    """Writes all samples below `path`, which must not exist or have been begun by this function: what is there stays.

    A picture is written after its annotation, each whole or not at all, so that an interrupted run leaves a set that
    opens. Returns how many photographs there are. `report(number)` is called after each. Raises UserError.
    """
    root = Path(path)
    if root.exists() and not ((root / "image").is_dir() and (root / "gt").is_dir()):
        raise UserError(f"{path}: exists already and is no set of photographs; name another place")
    there = {file.stem for file in (root / "image").glob("*.jpg")}
    waiting = [position for position in range(len(reader)) if f"{position:09d}" not in there]
    pool, count = Pool(_Encode(reader), workers), len(reader) - len(waiting)
    try:
        for position, made in zip(waiting, pool.run((position,) for position in waiting)):
            if isinstance(made, CorruptSample):
                continue
            content, annotation = made
            write_text(root / "gt" / f"{position:09d}.txt", annotation)
            write_bytes(root / "image" / f"{position:09d}.jpg", content)
            count += 1
            if report is not None:
                report(count)
    finally:
        pool.close()
    return count
