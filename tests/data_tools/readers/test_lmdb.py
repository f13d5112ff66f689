"""LMDBs of the shared layout, whoever wrote them."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from data_tools.errors import UserError
from data_tools.readers import open_reader
from data_tools.readers.lmdb import LmdbReader
from data_tools.sample import CorruptSample

ROOT = Path(__file__).parents[3]


def why(reader, index: int) -> str:
    with pytest.raises(CorruptSample) as raised:
        reader[index]
    return raised.value.why


def test_an_lmdb_of_the_usual_writers_opens(usual_lmdb):
    reader = LmdbReader(usual_lmdb(5))
    assert [reader[i].text for i in range(5)] == ["hotel", "OPEN", "café", "24h", "Market"]
    assert [reader[i].key for i in (0, 4)] == ["image-000000001", "image-000000005"]
    assert reader[3].image.size[0] > 10 and reader.text(2) == "café" and reader[0].extra == {}
    with pytest.raises(IndexError):
        reader[5]


def test_bad_records_are_bad_samples(lmdb_of, png_of):
    good, label = png_of("ok"), b"ok"
    reader = LmdbReader(
        lmdb_of(
            {
                b"num-samples": b"7",
                **{b"image-%09d" % n: good for n in (1, 2, 3, 4)},
                **{b"label-%09d" % n: label for n in (1, 5, 6, 7)},
                b"label-000000003": b"\xff\xfe",
                b"label-000000004": b" ",
                b"image-000000006": b"",
                b"image-000000007": good[: len(good) // 2],
            }
        )
    )
    assert reader[0].text == "ok"
    reasons = [why(reader, index) for index in range(1, 7)]
    assert [reason.split(" ", 1)[1] for reason in reasons] == [
        "label is missing",
        "label is not UTF-8",
        "label is empty",
        "image is missing",
        "image is empty",
        "image cannot be decoded",
    ]


def test_further_records_of_a_score_come_along(lmdb_of, png_of):
    records = {b"image-000000001": png_of(), b"label-000000001": b"clef-G2", b"agnostic-000000001": b"clef.G-L2"}
    assert LmdbReader(lmdb_of({b"num-samples": b"1", b"note": b"x", **records}))[0].extra == {"agnostic": "clef.G-L2"}


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ({b"a": b"b"}, "no num-samples"),
        ({b"num-samples": b"many"}, "no num-samples"),
        ({b"num-samples": b"0"}, "is empty"),
        ({b"num-samples": b"999999999999999999999"}, "holds 1 records"),
    ],
)
def test_an_lmdb_that_is_of_another_layout_empty_or_absurd_is_refused(lmdb_of, records, said):
    with pytest.raises(UserError, match=said):
        LmdbReader(lmdb_of(records))


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.9])
def test_a_truncated_lmdb_is_one_line_and_not_the_death_of_the_process(usual_lmdb, share):
    path = usual_lmdb(40)
    os.truncate(path / "data.mdb", int(share * (path / "data.mdb").stat().st_size))
    code = f"from data_tools.readers import open_reader; r = open_reader({str(path)!r}); [r[i] for i in range(40)]"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 1 and "UserError" in ended.stderr.splitlines()[-1]


def test_noise_in_place_of_an_lmdb_is_refused(tmp_path):
    (tmp_path / "data.mdb").write_bytes(os.urandom(20_000))
    with pytest.raises(UserError, match="LMDB"):
        open_reader(tmp_path)


def test_a_single_file_is_an_lmdb_too(usual_lmdb, tmp_path):
    os.rename(usual_lmdb(3) / "data.mdb", tmp_path / "words.lmdb")
    assert len(open_reader(tmp_path / "words.lmdb")) == 3


def test_one_lmdb_opened_twice_and_pickled_is_still_readable(usual_lmdb):
    path = usual_lmdb(3)
    first, second = LmdbReader(path), LmdbReader(path)
    third = pickle.loads(pickle.dumps(first))
    assert first[1].text == second[1].text == third[1].text == "OPEN"


def test_a_read_only_folder_is_no_hindrance(usual_lmdb):
    path = usual_lmdb(3)
    (path / "lock.mdb").unlink()
    path.chmod(0o555)
    try:
        assert LmdbReader(path)[2].text == "café"
        assert not (path / "lock.mdb").exists()
    finally:
        path.chmod(0o755)
