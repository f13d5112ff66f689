"""LMDBs written from any reader."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import lmdb
import pytest
from PIL import Image

from data_tools.errors import UserError
from data_tools.lmdb_writer import is_complete, write_lmdb
from data_tools.readers import open_reader
from data_tools.records import jpeg
from data_tools.sample import CorruptSample, Sample

ROOT = Path(__file__).parents[2]


class Drawn:
    """A reader without files: pictures drawn on demand, one bad sample in ten, or an interruption."""

    def __init__(self, size: int, stop_at: int | None = None):
        self.size, self.stop_at = size, stop_at

    def __len__(self):
        return self.size

    def __getitem__(self, index: int) -> Sample:
        if index == self.stop_at:
            raise KeyboardInterrupt
        if index % 10 == 3:
            raise CorruptSample(f"drawn-{index}", "made so")
        size = 40 + index % 7, 20
        image = Image.frombytes("L", size, random.Random(index).randbytes(size[0] * size[1]))
        return Sample(image, f"wörd{index}", f"drawn-{index}", {"agnostic": f"a {index}"})


def records(path) -> dict[bytes, bytes]:
    with lmdb.open(str(path), readonly=True, lock=False) as environment, environment.begin() as transaction:
        return dict(transaction.cursor())


def test_keys_and_labels_are_the_shared_layouts(folder, tmp_path):
    written = write_lmdb(open_reader(folder(12)), tmp_path / "x.lmdb")
    found = records(tmp_path / "x.lmdb")
    assert written.count == 12 and found.pop(b"num-samples") == b"12"
    assert sorted(found) == sorted(f"{kind}-{n:09d}".encode() for kind in ("image", "label") for n in range(1, 13))
    assert found[b"label-000000004"].decode() == "café"


def test_pictures_of_files_are_kept_byte_for_byte(folder, tmp_path):
    root = folder(3)
    write_lmdb(open_reader(root), tmp_path / "x.lmdb")
    assert records(tmp_path / "x.lmdb")[b"image-000000002"] == (root / "image" / "1.png").read_bytes()


def test_any_number_of_workers_writes_the_same_records(tmp_path):
    for workers in (0, 1, 2):
        assert write_lmdb(Drawn(90), tmp_path / f"{workers}.lmdb", workers=workers).count == 81
    alone = records(tmp_path / "0.lmdb")
    assert alone == records(tmp_path / "1.lmdb") == records(tmp_path / "2.lmdb")
    assert alone[b"agnostic-000000001"] == b"a 0" and b"progress" not in alone


def test_bad_samples_are_left_out_counted_and_named(folder, tmp_path, caplog):
    root = folder(6)
    (root / "image" / "2.png").write_bytes((root / "image" / "2.png").read_bytes()[:60])
    written = write_lmdb(open_reader(root), tmp_path / "x.lmdb")
    assert written.count == 5 and written.skipped == {"the image cannot be decoded": 1} and "2.png" in caplog.text
    reader = open_reader(tmp_path / "x.lmdb")
    assert [reader.text(i) for i in range(5)] == ["Exit", "hotel", "café", "24h", "Market"]


def test_the_map_grows_beyond_its_first_size_and_the_file_stays_as_small_as_its_content(tmp_path, monkeypatch):
    monkeypatch.setattr("data_tools.lmdb_writer._FIRST_MAP", 2**16)
    write_lmdb(Drawn(400), tmp_path / "x.lmdb", batch=64)
    assert len(open_reader(tmp_path / "x.lmdb")) == 360
    assert 2**16 < (tmp_path / "x.lmdb" / "data.mdb").stat().st_size < 4 * 2**20


def test_nothing_is_overwritten(folder, tmp_path):
    reader = open_reader(folder(3))
    write_lmdb(reader, tmp_path / "x.lmdb")
    for resume in (False, True):
        with pytest.raises(UserError, match=r"x\.lmdb"):
            write_lmdb(reader, tmp_path / "x.lmdb", resume=resume)
    with pytest.raises(UserError):
        write_lmdb(reader, tmp_path / "set", resume=True)
    assert sorted(os.listdir(tmp_path / "set")) == ["gt.txt", "image"]


@pytest.mark.parametrize("workers", [0, 2])
def test_an_interrupted_run_opens_and_resumes_to_the_same_records(tmp_path, workers):
    with pytest.raises(KeyboardInterrupt):
        write_lmdb(Drawn(200, stop_at=150), tmp_path / "x.lmdb", batch=32)
    committed = len(open_reader(tmp_path / "x.lmdb"))
    assert 0 < committed < 150 and not is_complete(tmp_path / "x.lmdb") and not is_complete(tmp_path / "gone")
    written = write_lmdb(Drawn(200), tmp_path / "x.lmdb", resume=True, workers=workers)
    assert is_complete(tmp_path / "x.lmdb")
    write_lmdb(Drawn(200), tmp_path / "whole.lmdb")
    assert written.count == 180 and written.skipped == {"made so": 20}
    assert records(tmp_path / "x.lmdb") == records(tmp_path / "whole.lmdb")


def test_a_run_is_not_resumed_with_another_source(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write_lmdb(Drawn(200, stop_at=150), tmp_path / "x.lmdb", batch=32, source="seed 1")
    for reader, source in ((Drawn(200), "seed 2"), (Drawn(300), "seed 1")):
        with pytest.raises(UserError, match="other options"):
            write_lmdb(reader, tmp_path / "x.lmdb", resume=True, source=source)


KILLED = """
    import sys
    from data_tools.lmdb_writer import is_complete, write_lmdb
    from tests.data_tools.test_lmdb_writer import Drawn
    write_lmdb(Drawn(10**6), sys.argv[1], workers=1, batch=50)
"""


def test_a_killed_run_leaves_a_data_set_that_opens_and_resumes(tmp_path):
    path = tmp_path / "x.lmdb"
    run = subprocess.Popen([sys.executable, "-c", textwrap.dedent(KILLED), str(path)], cwd=ROOT)
    while not (path / "data.mdb").exists() or (path / "data.mdb").stat().st_size < 300_000:
        assert run.poll() is None
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    run.wait()
    reader = open_reader(path)
    assert [reader[i].text for i in (0, 3, len(reader) - 1)][:2] == ["wörd0", "wörd4"]
    before = len(reader)
    del reader
    with pytest.raises(KeyboardInterrupt):
        write_lmdb(Drawn(10**6, stop_at=before * 2), path, resume=True, batch=50)
    again = open_reader(path)
    assert (
        len(again) > before
        and again[before].text == f"wörd{before // 9 * 10 + [0, 1, 2, 4, 5, 6, 7, 8, 9][before % 9]}"
    )


def test_an_empty_result_and_an_unwritable_place_are_one_line(tmp_path, folder):
    root = folder(1)
    (root / "image" / "0.png").unlink()
    with pytest.raises(UserError, match="not one of 1"):
        write_lmdb(open_reader(root), tmp_path / "none.lmdb")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="no LMDB can be written here"):
        write_lmdb(Drawn(5), tmp_path / "file" / "x.lmdb")


def test_a_full_disk_keeps_what_was_committed(tmp_path):
    code = """
        import resource, signal, sys
        from data_tools.lmdb_writer import is_complete, write_lmdb
        from tests.data_tools.test_lmdb_writer import Drawn
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
        write_lmdb(Drawn(10**6), sys.argv[1], batch=50)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "x.lmdb")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert "free space and resume" in ended.stderr.splitlines()[-1]
    reader = open_reader(tmp_path / "x.lmdb")
    assert len(reader) >= 50 and reader[len(reader) - 1].text.startswith("wörd")


def test_pictures_without_a_file_can_be_stored_as_jpeg(tmp_path):
    write_lmdb(Drawn(5), tmp_path / "x.lmdb", encode=jpeg)
    assert open_reader(tmp_path / "x.lmdb")[0].image.format == "JPEG"
