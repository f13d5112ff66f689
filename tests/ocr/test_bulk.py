"""Many pictures in shards: nothing lost by a kill, nothing read twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from data_tools.errors import UserError
from ocr.bulk import Shard, read_shard

PATHS = [Path(f"photos/{number}.jpg") for number in range(40)]
KILLED = """
import os, signal, sys
from pathlib import Path
from ocr.bulk import Shard, read_shard
done, shard = [], Shard.parse(sys.argv[2])
def read(path):
    if len(done) == 7:
        with open(shard.file_in(Path(sys.argv[1])), "ab") as torn:
            torn.write(b'{"path": "phot')
        os.kill(os.getpid(), signal.SIGKILL)
    done.append(path)
    return {"path": str(path), "by": "killed"}
read_shard(read, [Path(f"photos/{number}.jpg") for number in range(40)], Path(sys.argv[1]), shard)
"""


def kill(folder: Path, shard: str) -> None:
    """A run that is killed while it writes its eighth page."""
    line = [sys.executable, "-c", KILLED, folder, shard]
    done = subprocess.run(line, check=False, timeout=60, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


def entries(folder: Path) -> list[dict]:
    return [json.loads(line) for file in sorted(folder.glob("*.jsonl")) for line in file.read_text().splitlines()]


def test_a_killed_run_goes_on_and_reads_nothing_twice(tmp_path):
    """SIGKILL in the middle of a line: the torn line is cut off, and its page read again."""
    kill(tmp_path, "1/1")
    assert read_shard(lambda path: {"path": str(path), "by": "second"}, PATHS, tmp_path) == 0
    found = entries(tmp_path)
    assert [each["path"] for each in found] == [str(path) for path in PATHS]
    assert [each["by"] for each in found] == 7 * ["killed"] + 33 * ["second"]


def test_two_killed_shards_go_on_and_leave_nothing_out(tmp_path):
    """Each beside the torn file of the other, which is not its own to mend."""
    kill(tmp_path, "1/2")
    kill(tmp_path, "2/2")
    for shard in ("1/2", "2/2"):
        assert read_shard(lambda path: {"path": str(path), "by": "second"}, PATHS, tmp_path, Shard.parse(shard)) == 0
    found = entries(tmp_path)
    assert sorted(each["path"] for each in found) == sorted(map(str, PATHS))
    assert sum(each["by"] == "killed" for each in found) == 14


def test_shards_share_the_pages_whatever_their_number(tmp_path):
    """Each page is in one shard; what any shard has read before is not read by one of another count."""
    counts = []
    for number in (1, 2, 3):
        read_shard(lambda path: {"path": str(path)}, PATHS, tmp_path, Shard(number, 3))
        counts.append(len(entries(tmp_path)))
    assert sorted(each["path"] for each in entries(tmp_path)) == sorted(map(str, PATHS))
    assert 0 < counts[0] < counts[1] < counts[2]

    def read(path: Path) -> dict:
        assert path == Path("new.jpg")
        return {"path": str(path)}

    for number in (1, 2):
        read_shard(read, [*PATHS, Path("new.jpg")], tmp_path, Shard(number, 2))
    assert len(entries(tmp_path)) == 41


def test_what_cannot_be_read_is_recorded_and_the_rest_is_read(tmp_path):
    def read(path: Path) -> dict:
        if path == PATHS[3]:
            raise UserError("is torn")
        return {"path": str(path)}

    assert read_shard(read, PATHS, tmp_path) == 1
    assert entries(tmp_path)[3] == {"path": "photos/3.jpg", "error": "is torn"} and len(entries(tmp_path)) == 40
    assert read_shard(read, PATHS, tmp_path) == 1  # known, and still said


def test_files_that_would_lose_something_are_refused(tmp_path):
    """A file that is being written, or that holds something else."""

    def read(path: Path) -> dict:
        with pytest.raises(UserError, match="another process"):
            read_shard(lambda path: {}, PATHS, tmp_path)
        return {"path": str(path)}

    read_shard(read, PATHS[:1], tmp_path)
    (tmp_path / "pages-2-of-2.jsonl").write_text("{}\n")
    with pytest.raises(UserError, match=r"pages-2-of-2.jsonl, line 1"):
        read_shard(lambda path: {}, PATHS, tmp_path)


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/0", "-1/2"])
def test_shards_are_named_from_one(text):
    with pytest.raises(UserError, match="--shard"):
        Shard.parse(text)
