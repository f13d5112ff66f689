"""Files written from any reader in the report's layout."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from PIL import Image

from data_tools.errors import UserError
from data_tools.folder_writer import write_folder
from data_tools.readers import open_reader
from data_tools.sample import Sample

ROOT = Path(__file__).parents[2]


class Drawn:
    """A reader without files; label 2 has a line break."""

    def __init__(self, size: int):
        self.size = size

    def __len__(self):
        return self.size

    def __getitem__(self, index: int) -> Sample:
        image = Image.frombytes("L", (30, 20), random.Random(index).randbytes(600))
        return Sample(image, "two\nlines" if index == 2 else f"wörd {index}", f"drawn-{index}")


def test_lines_pictures_and_names_are_the_layouts(tmp_path):
    written = write_folder(Drawn(5), tmp_path / "set")
    assert written.count == 4 and written.skipped == {"the label has a line break": 1}
    names = [f"{number:09d}.png" for number in (1, 2, 4, 5)]
    assert sorted(os.listdir(tmp_path / "set" / "image")) == names
    reader = open_reader(tmp_path / "set")
    assert [reader[i].key for i in range(4)] == names and reader[2].text == "wörd 3"
    assert reader[2].image.tobytes() == Drawn(5)[3].image.tobytes()


def test_endings_follow_the_pictures(usual_lmdb, tmp_path):
    write_folder(open_reader(usual_lmdb(2)), tmp_path / "set")
    assert sorted(os.listdir(tmp_path / "set" / "image")) == ["000000001.jpg", "000000002.jpg"]


def test_any_number_of_workers_writes_the_same(tmp_path):
    for workers in (0, 2):
        write_folder(Drawn(70), tmp_path / str(workers), workers=workers)
    assert (tmp_path / "0" / "gt.txt").read_bytes() == (tmp_path / "2" / "gt.txt").read_bytes()


def test_a_killed_run_opens_and_resumes_to_the_whole(tmp_path):
    code = """
        import sys
        from data_tools.folder_writer import write_folder
        from tests.data_tools.test_folder_writer import Drawn
        write_folder(Drawn(100_000), sys.argv[1])
    """
    path = tmp_path / "set"
    run = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code), str(path)], cwd=ROOT)
    while not (path / "gt.txt").exists() or (path / "gt.txt").stat().st_size < 4000:
        assert run.poll() is None
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    run.wait()
    before = len(open_reader(path))
    assert before > 50
    written = write_folder(Drawn(before + 100), path, resume=True)
    reader = open_reader(path)
    assert written.count == len(reader) == before + 99
    assert [reader[i].text for i in (0, before, len(reader) - 1)] == [f"wörd {i}" for i in (0, before + 1, before + 99)]


def test_places_that_cannot_be_written_and_empty_results_are_one_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot be written"):
        write_folder(Drawn(3), tmp_path / "file" / "set")
    with pytest.raises(UserError, match="exists already"):
        write_folder(Drawn(3), tmp_path)
    (tmp_path / "gone" / "image").mkdir(parents=True)
    (tmp_path / "gone" / "gt.txt").write_text("a.png word\n")
    with pytest.raises(UserError, match="not one of 1"):
        write_folder(open_reader(tmp_path / "gone"), tmp_path / "out")
