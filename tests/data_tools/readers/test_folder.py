"""The report's folder layout."""

import os
import pickle

import pytest

from data_tools.errors import UserError
from data_tools.readers.folder import FolderReader
from data_tools.sample import CorruptSample


@pytest.fixture
def labelled(tmp_path, png_of):
    def make(gt: bytes, *names: str) -> FolderReader:
        (tmp_path / "image").mkdir()
        for name in names:
            (tmp_path / "image" / name).write_bytes(png_of(name))
        (tmp_path / "gt.txt").write_bytes(gt)
        return FolderReader(tmp_path)

    return make


def why(reader, index: int = 0) -> str:
    with pytest.raises(CorruptSample) as raised:
        reader[index]
    return raised.value.why


def test_names_labels_and_pictures_come_as_they_are_annotated(labelled):
    reader = labelled(
        "a.png Exit\nb.png\tNo  entry \n\n  c.png   Café\r\nd e.png\tx".encode(), "a.png", "b.png", "c.png", "d e.png"
    )
    assert [(reader[i].key, reader[i].text) for i in range(len(reader))] == [
        ("a.png", "Exit"),
        ("b.png", "No  entry"),
        ("c.png", "Café"),
        ("d e.png", "x"),
    ]
    assert reader.text(2) == "Café" and reader[0].image.size == reader[0].image.copy().size


def test_a_byte_order_mark_is_no_part_of_the_first_name(labelled):
    assert labelled(b"\xef\xbb\xbfa.png Exit\n", "a.png")[0].key == "a.png"


def test_pictures_may_lie_beside_the_labels(tmp_path, png_of):
    (tmp_path / "a.png").write_bytes(png_of())
    (tmp_path / "gt.txt").write_text("a.png word\n")
    assert FolderReader(tmp_path)[0].text == "word"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"a.png", "no label"),
        (b"a.png   ", "no label"),
        (b"a.png \xff\xfe", "not UTF-8"),
        (b"gone.png word", "missing"),
        (b"../../x.png word", "leads out"),
        (b"../../../../../../../../etc/hostname word", "leads out"),
        (b"/etc/hostname word", "leads out"),
        (b"\tword", "no label"),
        (b". word", "no ordinary file"),
    ],
)
def test_a_bad_line_is_one_bad_sample_never_its_neighbour(labelled, line, reason):
    reader = labelled(b"a.png Exit\n" + line + b"\na.png Exit\n", "a.png")
    assert len(reader) == 3 and reader[0].text == reader[2].text == "Exit"
    assert reason in why(reader, 1)


def test_a_pipe_in_place_of_a_picture_does_not_hang_the_run(labelled, tmp_path):
    reader = labelled(b"pipe.png word\n")
    os.mkfifo(tmp_path / "image" / "pipe.png")
    assert "no ordinary file" in why(reader)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"a.png\0word\n" * 3])
def test_labels_that_are_empty_or_binary_are_refused_by_name(labelled, content):
    with pytest.raises(UserError, match=r"gt\.txt"):
        labelled(content)


def test_further_texts_are_read_and_must_be_in_step(labelled, tmp_path):
    (tmp_path / "gt.agnostic.txt").write_text("a.png\tclef.G-L2 note\nx.png\tclef.C\n")
    reader = labelled(b"a.png clef\nb.png clef\n", "a.png", "b.png")
    assert reader[0].extra == {"agnostic": "clef.G-L2 note"}
    assert "gt.agnostic.txt" in why(reader, 1)


def test_it_travels_to_a_worker_as_its_path_alone(labelled):
    reader = labelled(b"a.png Exit\n" * 5000, "a.png")
    packed = pickle.dumps(reader)
    assert len(packed) < 1000 and pickle.loads(packed)[4999].text == "Exit"
