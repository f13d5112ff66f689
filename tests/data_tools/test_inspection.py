"""What a data set is said to hold."""

import numpy as np
import pytest
from PIL import Image

from data_tools.errors import UserError
from data_tools.inspection import contact_sheet, histogram, inspect
from data_tools.readers import open_reader


def test_counts_are_right_for_any_number_of_workers(folder):
    root = folder(150)
    (root / "image" / "3.png").unlink()
    (root / "image" / "9.png").write_bytes(b"nothing")
    Image.new("RGB", (77, 33)).save(root / "image" / "5.png")
    alone, shared = inspect(open_reader(root)), inspect(open_reader(root), workers=2)
    assert alone == shared
    assert (alone.seen, alone.good) == (150, 148)
    assert alone.bad == {"the image file is missing": 1, "the image cannot be decoded": 1}
    assert [key for key, _ in alone.named] == ["3.png", "9.png"]
    assert alone.sizes[77, 33] == 1 and alone.modes["RGB"] == 1 and alone.sizes.total() == 148
    assert alone.lengths[8] == 30 and alone.characters["é"] == 14 and len(alone.labels) == 10


def test_the_document_has_quantiles_and_names_the_bad(folder):
    root = folder(20)
    (root / "image" / "3.png").unlink()
    document = inspect(open_reader(root)).to_json()
    assert document["n"] == 20 and document["good"] == 19 and document["distinct_labels"] == 10
    assert document["bad_samples"] == [{"key": "3.png", "why": "the image file is missing"}]
    assert document["label_length"] == [1, 1, 4, 8, 8]
    assert document["width"] == sorted(document["width"]) and len(document["height"]) == 5


def test_music_is_counted_in_symbols(lmdb_of, png_of):
    made = lmdb_of({b"num-samples": b"1", b"image-000000001": png_of(), b"label-000000001": b"clef-G2 note-C4 note-C4"})
    found = inspect(open_reader(made), symbols=True)
    assert found.lengths == {3: 1} and found.characters == {"clef-G2": 1, "note-C4": 2}


def test_a_set_of_bad_samples_only_is_still_described(folder):
    root = folder(3)
    for picture in (root / "image").iterdir():
        picture.unlink()
    document = inspect(open_reader(root)).to_json()
    assert document["good"] == 0 and document["width"] == [] and document["label_length"] == []


def test_the_sheet_shows_samples_from_the_whole_set_and_bad_ones_in_red(folder):
    root = folder(50)
    (root / "image" / "49.png").unlink()
    sheet = np.asarray(contact_sheet(open_reader(root), 6, 3))
    red = (sheet[:, :, 0] > 200) & (sheet[:, :, 1] < 90)
    assert red[sheet.shape[0] // 2 :, 2 * sheet.shape[1] // 3 :].any() and not red[: sheet.shape[0] // 2].any()
    assert contact_sheet(open_reader(root), 1000, 8).width > contact_sheet(open_reader(root), 2, 8).width
    with pytest.raises(UserError):
        contact_sheet(open_reader(root), 0)


def test_bars_are_as_long_as_their_counts():
    assert [line.count("█") for line in histogram([(1, 10), (2, 5), (3, 0)], 20)] == [20, 10, 0]
    assert histogram([]) == []


def test_photographs_are_counted_by_their_regions(tmp_path):
    """What an annotator got wrong is seen before a detector learns it."""
    for name, lines in {
        "a": [
            "0,0,20,0,20,9,0,9,in",
            "-5,0,20,0,20,9,0,9,out",
            "0,0,20,9,20,0,0,9,cross",
            "rubbish",
            "1,1,9,1,9,9,1,9,###",
        ],
        "b": ["0,0,20,0,20,9,0,9,in"],
    }.items():
        for folder in ("image", "gt"):
            (tmp_path / folder).mkdir(exist_ok=True)
        Image.new("RGB", (40, 30)).save(tmp_path / "image" / f"{name}.png")
        (tmp_path / "gt" / f"{name}.txt").write_text("\n".join(lines))
    reader = open_reader(tmp_path)
    found = inspect(reader)
    assert found == inspect(reader, workers=1)
    document = found.to_json()
    assert document["regions"] == {"all": 5, "legible": 4, "outside": 1, "crossing": 1}
    assert document["flaws"] == {"is no quadrilateral": 1} and document["distinct_labels"] == 3
    assert [(each["key"], each["why"]) for each in document["flawed"]] == [
        ("image/a.png: line 4", "is no quadrilateral"),
        ("image/a.png: region 2", "leaves the picture"),
        ("image/a.png: region 3", "crosses itself"),
    ]
    sheet = np.asarray(contact_sheet(reader, 2, 2, (80, 60)))
    assert ((sheet[:, :, 1] > 140) & (sheet[:, :, 0] < 60)).any()
