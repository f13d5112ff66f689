"""What is wrong with a bad sample, its image or its label, reaches whoever counts: denominators depend on it."""

import pickle

import pytest

from data_tools.folder_writer import _one_line
from data_tools.readers import open_reader
from data_tools.readers.mjsynth import MjsynthReader
from data_tools.readers.primus import PrimusReader
from data_tools.sample import CorruptSample, EncodedSample


def part(reader, index: int) -> str:
    with pytest.raises(CorruptSample) as raised:
        reader[index]
    return raised.value.part


def test_a_bad_sample_keeps_its_part_on_the_way_from_a_worker():
    for sample in (CorruptSample("7", "torn"), CorruptSample("7", "blank", part="label")):
        copy = pickle.loads(pickle.dumps(sample))
        assert (copy.key, copy.why, copy.part, str(copy)) == (sample.key, sample.why, sample.part, str(sample))
    assert CorruptSample("7", "torn").part == "image"


def test_an_lmdb_says_which_part_is_bad(lmdb_of, png_of):
    records = {b"num-samples": b"5", b"label-000000001": b"one", b"image-000000002": png_of()}
    records |= {b"label-000000003": b"three", b"image-000000003": b"torn"}
    records |= {b"label-000000004": b"\xff", b"image-000000004": png_of()}
    records |= {b"label-000000005": b"  ", b"image-000000005": png_of()}
    reader = open_reader(lmdb_of(records | {b"x%d" % n: b"" for n in range(9)}))
    assert [part(reader, index) for index in range(5)] == ["image", "label", "image", "label", "label"]


def test_a_folder_says_which_part_is_bad_also_as_one_of_several(folder, tmp_path):
    root = folder(4, "all/a")
    folder(2, "all/b")
    (root / "image" / "0.png").unlink()
    (root / "image" / "1.png").write_bytes(b"")
    lines = (root / "gt.txt").read_bytes().splitlines()
    (root / "gt.txt").write_bytes(b"\n".join([*lines[:2], b"2.png", b"3.png \xff"]))
    for reader in (open_reader(root), open_reader(tmp_path / "all")):
        assert [part(reader, index) for index in range(4)] == ["image", "image", "label", "label"]


def test_mjsynth_and_primus_say_which_part_is_bad(tmp_path):
    (tmp_path / "mj").mkdir()
    (tmp_path / "mj" / "lexicon.txt").write_text("slow\n")
    (tmp_path / "mj" / "annotation_train.txt").write_text("./1_Slow_0.jpg 0\n./2_Slow_9.jpg 9\n")
    reader = MjsynthReader(tmp_path / "mj" / "annotation_train.txt")
    assert [part(reader, index) for index in range(2)] == ["image", "label"]
    for key, files in (("1", {"semantic": "clef-G2"}), ("2", {"semantic": "", "agnostic": "x"})):
        (tmp_path / "scores" / key).mkdir(parents=True)
        for ending, text in files.items():
            (tmp_path / "scores" / key / f"{key}.{ending}").write_text(text)
    (tmp_path / "scores" / "2" / "2.png").write_bytes(b"any")
    reader = PrimusReader(tmp_path / "scores")
    assert [part(reader, index) for index in range(2)] == ["image", "label"]


def test_what_no_line_can_hold_is_the_labels_fault():
    assert _one_line(EncodedSample(b"", "two\nlines", "1")).part == "label"
