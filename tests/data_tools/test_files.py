"""Files are written whole or not at all, and nothing else is put in the place of a device."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from data_tools.errors import UserError
from data_tools.files import atomic_file, write_text


def test_what_breaks_off_leaves_the_older_file(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(ZeroDivisionError), atomic_file(tmp_path / "a.txt") as file:
        file.write(b"new")
        raise ZeroDivisionError
    assert (tmp_path / "a.txt").read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_a_pipe_is_written_and_stays_one(tmp_path):
    """`--text /dev/stdout`, `--json > /dev/null` and the like: as root a file would take the device's place."""
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    write_text(pipe, "through")
    reader.join(20)
    assert read == ["through"] and stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="there is no /dev/full")
def test_a_full_device_is_said():
    with pytest.raises(UserError, match="/dev/full: cannot be written"):
        write_text("/dev/full", "much")
    assert Path("/dev/full").is_char_device()
