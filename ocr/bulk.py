"""Many pictures, on as many processes as there are: one JSON line a page, appended to a file that a killed run goes on.

Which shard a page belongs to follows from its name alone, so that shards started at different times, while the folder
is still growing, never read the same page.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from zlib import crc32

from data_tools.errors import UserError
from data_tools.text import printable


@dataclass(frozen=True)
class Shard:
    """Shard `number`, from 1, of `count`."""

    number: int = 1
    count: int = 1

    @staticmethod
    def parse(text: str) -> Shard:
        """The shard that `I/N` names. Raises UserError."""
        found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
        number, count = map(int, found.groups()) if found else (0, 0)
        if not 1 <= number <= count:
            raise UserError(f"--shard {text}: it takes I/N, I from 1 to N, such as 1/4")
        return Shard(number, count)

    def holds(self, name: str) -> bool:
        """Whether a page belongs to it."""
        return crc32(name.encode()) % self.count == self.number - 1

    def file_in(self, folder: Path) -> Path:
        """Where its pages are written."""
        return folder / f"pages-{self.number}-of-{self.count}.jsonl"


def read_shard(
    read: Callable[[Path], dict[str, Any]], paths: Sequence[Path], folder: Path, shard: Shard = Shard()
) -> int:
    """Appends `read(path)` of each page of the shard that no file of the folder holds yet. A page that cannot be read
    (UserError) is recorded as {"path", "error"}, and is not tried again. Returns how many of the shard's pages could
    not be read, now or before. Raises UserError where the folder cannot be written.
    """
    from tqdm import tqdm

    own = {printable(path): path for path in paths}
    own = {name: path for name, path in own.items() if shard.holds(name)}
    with _open_to_append(shard.file_in(folder)) as file:
        known = {path: failed for part in sorted(folder.glob("pages-*.jsonl")) for path, failed in _recorded(part)}
        failures = sum(known.get(name, False) for name in own)
        left = {name: path for name, path in own.items() if name not in known}
        pace = 0.5 if sys.stderr.isatty() else 30.0  # seconds; logs of batch systems are files
        for name, path in tqdm(left.items(), unit="page", mininterval=pace, desc=f"{shard.number}/{shard.count}"):
            try:
                entry = read(path)
            except UserError as error:
                entry = {"path": name, "error": printable(error)}
                failures += 1
            file.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
            file.flush()
    return failures


@contextmanager
def _open_to_append(path: Path) -> Iterator[BinaryIO]:
    """The file, opened to append whole lines; a torn last one is cut off. Raises UserError where it cannot be written
    or another process writes it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a+b") as file:
            _lock(file, path)
            file.seek(0)
            whole = sum(len(line) for line in file if line.endswith(b"\n"))
            file.truncate(whole)
            yield file
            os.fsync(file.fileno())
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error}); what it holds stays") from error


def _lock(file: BinaryIO, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(f"{path}: another process is writing it; each shard is for one") from None
    except OSError:  # some network file systems have no locks
        pass


def _recorded(path: Path) -> Iterator[tuple[str, bool]]:
    """The pages of a file, and whether each could not be read. Another shard may be at its last line just now. Raises
    UserError for a file that is damaged.
    """
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                entry = json.loads(line)
                yield entry["path"], "error" in entry
            except (ValueError, TypeError, KeyError):
                raise UserError(f"{path}, line {number}: is no page; delete the line, it is read again") from None
