"""Which data set a path is (data_tools/readers/__init__.py)."""

import pytest

from data_tools.errors import UserError
from data_tools.lmdb_writer import write_lmdb
from data_tools.readers import open_reader, open_readers
from data_tools.sample import CorruptSample


def test_nested_lmdbs_and_folders_are_one_set_in_the_order_of_their_names(usual_lmdb, folder, tmp_path):
    usual_lmdb(4, "all/train/MJ/MJ_train")
    usual_lmdb(3, "all/train/ST")
    folder(2, "all/SVT")
    reader = open_reader(tmp_path / "all")
    assert len(reader) == 9
    assert [reader[i].key for i in (0, 1, 2, 5, 6, 8)] == [
        "SVT/0.png",
        "SVT/1.png",
        "train/MJ/MJ_train/image-000000001",
        "train/MJ/MJ_train/image-000000004",
        "train/ST/image-000000001",
        "train/ST/image-000000003",
    ]
    assert reader.text(6) == "hotel"
    with pytest.raises(IndexError):
        reader[9]


def test_a_bad_sample_of_a_nested_set_is_named_with_its_set(folder, tmp_path):
    (folder(2, "all/SVT") / "image" / "1.png").unlink()
    folder(2, "all/IC03")
    with pytest.raises(CorruptSample) as raised:
        open_reader(tmp_path / "all")[3]
    assert raised.value.key == "SVT/1.png"


def test_several_paths_are_one_set(folder):
    one, two = folder(2, "one"), folder(3, "two")
    assert len(open_readers([one, two])) == 5 and len(open_readers([one])) == 2
    with pytest.raises(UserError):
        open_readers([])


def test_gt_txt_itself_may_be_named(folder):
    assert len(open_reader(folder(2) / "gt.txt")) == 2


def test_a_primus_folder_is_a_data_set_and_becomes_an_lmdb_with_both_encodings(tmp_path, png_of):
    for name, semantic in (("1_1", "clef-G2\tnote-C4_half"), ("2_1", "clef-C1\trest-whole")):
        (tmp_path / "primus" / name).mkdir(parents=True)
        (tmp_path / "primus" / name / f"{name}.png").write_bytes(png_of(name))
        (tmp_path / "primus" / name / f"{name}.semantic").write_text(f"{semantic}\t\n")
        (tmp_path / "primus" / name / f"{name}.agnostic").write_text("clef.G-L2\tnote.half-L0\n")
    reader = open_reader(tmp_path / "primus")
    assert [reader[i].text for i in range(2)] == ["clef-G2 note-C4_half", "clef-C1 rest-whole"]
    write_lmdb(reader, tmp_path / "primus.lmdb")
    stored = open_reader(tmp_path / "primus.lmdb")[1]
    assert stored.text == "clef-C1 rest-whole" and stored.extra == {"agnostic": "clef.G-L2 note.half-L0"}


def test_what_is_no_data_set_is_said_with_what_would_be(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("hello\n")
    for path in (tmp_path / "nowhere", tmp_path / "empty", tmp_path / "notes.txt", tmp_path):
        with pytest.raises(UserError, match=r"an LMDB.*gt\.txt.*MJSynth"):
            open_reader(path)
