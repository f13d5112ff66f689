"""Pictures without labels: whatever lies in a folder or an LMDB, broken ones named."""

from __future__ import annotations

import pytest

from data_tools.errors import UserError
from data_tools.readers.unlabelled import Numbered, Relabelled, open_unlabelled
from data_tools.sample import CorruptSample


@pytest.fixture
def folder(tmp_path, png_of):
    """Five files below a folder, of which one is no picture and one is broken."""
    (tmp_path / "set/inner").mkdir(parents=True)
    for name, content in {
        "b.png": png_of("two"),
        "a.png": png_of("one"),
        "broken.jpg": b"no picture",
        "inner/c.PNG": png_of("three"),
        "notes.txt": b"a.png something",
    }.items():
        (tmp_path / "set" / name).write_bytes(content)
    return tmp_path / "set"


def test_every_picture_below_a_folder_is_one_and_a_broken_one_is_named(folder):
    reader = open_unlabelled([folder])
    assert [reader.stored(index).key for index in range(len(reader))] == ["a.png", "b.png", "broken.jpg", "inner/c.PNG"]
    assert reader[0].text == "" and reader[0].image.size[0] > 10
    with pytest.raises(CorruptSample, match=r"broken\.jpg"):
        reader[2]


def test_labels_are_not_looked_at(lmdb_of, png_of):
    """An LMDB may lack them, or have wrong ones."""
    pictures = {b"image-%09d" % n: png_of("word") for n in (1, 2)}
    reader = open_unlabelled([lmdb_of({b"num-samples": b"2", **pictures, b"label-000000002": b"\xff"})])
    assert [reader[index].text for index in (0, 1)] == ["", ""]


def test_places_and_pseudo_labels_stand_for_the_text(folder):
    reader = open_unlabelled([folder, folder])
    assert len(reader) == 8 and Numbered(reader)[5].text == "5" and Numbered(reader)[5].key.endswith("b.png")
    chosen = Relabelled(reader, (7, 0), ("drei", "eins"))
    assert [chosen[index].text for index in range(len(chosen))] == ["drei", "eins"]
    assert chosen[0].key.endswith("c.PNG")


def test_nothing_to_learn_from_is_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no pictures and no LMDB in this folder"):
        open_unlabelled([tmp_path / "empty"])
    with pytest.raises(UserError, match="there is no such file or folder"):
        open_unlabelled([tmp_path / "gone"])
