"""Published layouts of photographs with regions of text, each as its publishers lay it out, made here."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from data_tools.errors import UserError
from data_tools.readers import open_reader
from data_tools.sample import CorruptSample


def draw(*paths: Path) -> None:
    """A small picture at each place."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (60, 40), "white").save(path)


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def texts(sample) -> list[tuple[str, bool]]:
    return [(region.text, region.legible) for region in sample.regions]


QUAD = "1,2,30,2,30,12,1,12"
TOTAL = """x: [[ 1 15 30
 30 15  1]], y: [[ 2 1 2 12 11 12]], ornt: [u'c'], transcriptions: [u'PETRO']
x: [[1 9 9 1]], y: [[20 20 30 30]], ornt: [u'h'], transcriptions: [u"Joe's"]
x: [[1 9 9]], y: [[20 20 30 30]], ornt: [u'h'], transcriptions: [u'lost']
x: [[40 50 50 40]], y: [[20 20 30 30]], ornt: [u'#'], transcriptions: [u'#']
"""
FUNSD = {
    "form": [
        {"id": 0, "text": "Date: 3", "box": [1, 1, 40, 9], "words": [
            {"box": [1, 1, 20, 9], "text": "Date:"}, {"box": [25, 1, 40, 9], "text": "3"}, {"box": [1], "text": "x"}]},
        {"id": 1, "text": "alone", "box": [1, 20, 30, 30], "words": []},
        {"id": 2, "text": "", "box": [1, 31, 30, 38], "words": [{"box": [1, 31, 30, 38], "text": ""}]},
    ]
}  # fmt: skip
PAIRS = {
    "ICDAR 2015": ("ch4_images/img_1.jpg", "ch4_gt/gt_img_1.txt", f"\ufeff{QUAD},a, b\r\n{QUAD},###\r\n",
                   [("a, b", True), ("###", False)], "quadrilaterals"),
    "ICDAR 2013": ("100.jpg", "gt_100.txt", '1 2 30 12 "Tired"\n1, 20, 30, 32, "it"\n',
                   [("Tired", True), ("it", True)], "quadrilaterals"),
    "MLT 2017": ("ch8_images/img_1.jpg", "ch8_gt/gt_img_1.txt", f"{QUAD},Latin,a,b\n{QUAD},Arabic,###\n{QUAD},Oops\n",
                 [("a,b", True), ("###", False)], "MLT"),
    "Total-Text": ("Images/Train/img11.jpg", "gt/Train/poly_gt_img11.txt", TOTAL,
                   [("PETRO", True), ("Joe's", True), ("#", False)], "Total-Text"),
    "TD500": ("IMG_1.JPG", "IMG_1.gt", "0 0 10 20 40 10 0.0\n1 1 10 10 20 10 1.57\n", [("?", True), ("?", False)],
              "MSRA-TD500"),
    "FUNSD": ("images/82.png", "annotations/82.json", json.dumps(FUNSD),
              [("Date:", True), ("3", True), ("alone", True), ("", False)], "FUNSD"),
    "SROIE": ("img/X5.jpg", "box/X5.txt", f"{QUAD},TAN, WOON * YANN\n", [("TAN, WOON * YANN", True)], "quadrilaterals"),
    "RCTW-17": ("train_images/image_0.jpg", "train_gts/image_0.txt", f'{QUAD},0,"路, 口"\n{QUAD},1,"x"\n',
                [("路, 口", True), ("x", False)], "RCTW-17"),
    "MTWI": ("image_train/T1.jpg", "txt_train/T1.txt", "1.5,2,30,2,30,12.25,1,12,价 9\n", [("价 9", True)], "quadri"),
    "CASIA-10K": ("PAL1.jpg", "PAL1.txt", f"{QUAD},模式识别\r\n".encode("gb18030"), [("模式识别", True)], "quadri"),
    "scenes": ("image/a.jpg", "gt/a.txt", f"{QUAD},one\n", [("one", True)], "quadrilaterals"),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_an_annotation_for_each_photograph(tmp_path, name):
    """The text, what nobody is to read, and commas within a text come out as they were meant."""
    picture, annotation, content, wanted, layout = PAIRS[name]
    draw(tmp_path / picture)
    write(tmp_path / annotation, content)
    reader = open_reader(tmp_path)
    assert len(reader) == 1 and reader.layout.startswith(layout)
    assert texts(reader[0]) == wanted
    assert reader[0].text == " ".join(text for text, legible in wanted if legible)


def test_what_of_an_annotation_makes_no_sense_is_named_and_costs_no_more(tmp_path, caplog):
    """Nothing is lost of the rest, and nobody has to find the line himself."""
    picture, annotation, content, _, _ = PAIRS["MLT 2017"]
    draw(tmp_path / picture)
    write(tmp_path / annotation, content)
    sample = open_reader(tmp_path)[0]
    assert sample.flaws == (("line 3", "is no quadrilateral with a script"),) and len(sample.regions) == 2
    assert "line 3" in caplog.text and caplog.text.count("img_1.jpg") == 1


def test_a_turned_rectangle_turns_about_its_middle(tmp_path):
    """TD500's angle is in radians, clockwise as it is seen."""
    draw(tmp_path / "IMG_1.JPG")
    write(tmp_path / "IMG_1.gt", f"0 0 10 15 40 10 {np.pi / 2}\n")
    polygon = open_reader(tmp_path)[0].regions[0].polygon
    assert np.abs(polygon - [[35, 0], [35, 40], [25, 40], [25, 0]]).max() < 1e-4


def test_polygons_keep_all_their_points(tmp_path):
    draw(tmp_path / "Images/Train/img11.jpg")
    write(tmp_path / "gt/Train/poly_gt_img11.txt", TOTAL)
    reader = open_reader(tmp_path)
    assert reader[0].regions[0].polygon.tolist() == [[1, 2], [15, 1], [30, 2], [30, 12], [15, 11], [1, 12]]
    assert [region.text for region in open_reader(tmp_path / "Images/Train")[0].regions] == ["PETRO", "Joe's", "#"]


def test_train_and_test_of_one_name_are_not_mixed(tmp_path):
    """img_1 of the one would get the words of the other."""
    draw(tmp_path / "ch4_training_images/img_1.jpg", tmp_path / "ch4_test_images/img_1.jpg")
    write(tmp_path / "ch4_training_gt/gt_img_1.txt", f"{QUAD},a\n")
    with pytest.raises(UserError, match="put what belongs together into a folder of its own"):
        open_reader(tmp_path)
    draw(tmp_path / "two/image/img_1.jpg")
    write(tmp_path / "two/gt/gt_img_1.txt", f"{QUAD},a\n")
    write(tmp_path / "two/labels/img_1.txt", f"{QUAD},b\n")
    with pytest.raises(UserError, match="keep one of them"):
        open_reader(tmp_path / "two")


def test_sets_of_photographs_beside_each_other_are_one_set(tmp_path):
    """A folder of sets can be trained on as it is."""
    for name, text in (("IC15", "a"), ("SROIE", "b")):
        draw(tmp_path / name / "image/1.jpg")
        write(tmp_path / name / "gt/1.txt", f"{QUAD},{text}\nrubbish\n")
    reader = open_reader(tmp_path)
    assert [(reader[n].key, reader[n].text) for n in range(2)] == [
        ("IC15/image/1.jpg", "a"),
        ("SROIE/image/1.jpg", "b"),
    ]
    assert reader[0].flaws and reader.stored(1).regions


def tagset(*images: str) -> str:
    return f"<?xml version='1.0'?><tagset>{''.join(images)}</tagset>"


def image_of(name: str, rectangles: str, more: str = "") -> str:
    head = f"<imageName>{name}</imageName>{more}<Resolution x='60' y='40'/>"
    return f"<image>{head}<taggedRectangles>{rectangles}</taggedRectangles></image>"


RECTANGLE = "<taggedRectangle height='10' width='30' x='1' y='2'><tag>{}</tag></taggedRectangle>"


def test_street_view_text(tmp_path):
    """Its lexicons come along, since its figures are read with them."""
    draw(tmp_path / "img/14_03.jpg")
    bad = "<taggedRectangle height='?' width='30' x='1' y='2'><tag>X</tag></taggedRectangle>"
    content = tagset(image_of("img/14_03.jpg", RECTANGLE.format("LIVING") + bad, "<lex>LIVING,ROOM</lex>"))
    write(tmp_path / "test.xml", content)
    reader = open_reader(tmp_path)
    sample = reader[0]
    assert texts(sample) == [("LIVING", True)] and sample.extra == {"lexicon": "LIVING,ROOM"} and len(sample.flaws) == 1
    assert sample.regions[0].polygon.tolist() == [[1, 2], [31, 2], [31, 12], [1, 12]]
    write(tmp_path / "train.xml", content)
    with pytest.raises(UserError, match=r"has test\.xml, train\.xml; name one of them"):
        open_reader(tmp_path)
    assert len(open_reader(tmp_path / "train.xml")) == 1


def test_icdar_2003(tmp_path):
    """Of its three files, words.xml has the words."""
    draw(tmp_path / "apanar/IMG_1.JPG")
    for name, text in (("words.xml", "self"), ("locations.xml", "")):
        write(tmp_path / name, tagset(image_of("apanar/IMG_1.JPG", RECTANGLE.format(text))))
    assert open_reader(tmp_path).text(0) == "self"
    write(tmp_path / "words.xml", "<tagset><image>")
    with pytest.raises(UserError, match="cannot be read as XML"):
        open_reader(tmp_path)


BOX = [[1, 2], [30, 2], [30, 12], [1, 12]]


@pytest.mark.parametrize("place", ["Label.txt", "photos/Label.txt"])
def test_paddleocr_labels(tmp_path, place):
    """PPOCRLabel names pictures from the folder above its own."""
    draw(tmp_path / "photos/1.jpg")
    records = [{"transcription": t, "points": BOX, "difficult": t == "hard"} for t in ("a b", "###", "*", "hard")]
    write(tmp_path / place, f"photos/1.jpg\t{json.dumps([*records, {'points': 3}])}\nphotos/1.jpg\t[broken\n")
    reader = open_reader((tmp_path / place).parent)
    assert texts(reader[0]) == [("a b", True), ("###", False), ("*", False), ("hard", False)]
    assert reader[0].flaws == (("region 5", "is no region with points"),)
    with pytest.raises(CorruptSample) as caught:
        reader[1]
    assert caught.value.part == "label"


def test_paddleocr_words(tmp_path):
    """rec_gt.txt names the crops that PPOCRLabel cuts out."""
    draw(tmp_path / "crop_img/1_crop_0.jpg")
    write(tmp_path / "rec_gt.txt", "crop_img/1_crop_0.jpg\ttwo words\n")
    assert open_reader(tmp_path)[0].text == "two words"


@pytest.mark.parametrize("name", ["train_full_labels.json", "train_labels.json"])
def test_lsvt_and_art(tmp_path, name):
    """Names lack endings, and pictures lie in folders of any name."""
    draw(tmp_path / "train_full_images_0/gt_0.jpg")
    records = [{"transcription": "东,x", "points": BOX, "illegibility": False}]
    records.append({"transcription": "###", "points": BOX[:3], "illegibility": True})
    write(tmp_path / name, json.dumps({"gt_0": records, "gt_1": records, "gt_2": None}))
    reader = open_reader(tmp_path)
    assert len(reader) == 3 and texts(reader[0]) == [("东,x", True), ("###", False)]
    for index, part in ((1, "image"), (2, "label")):
        with pytest.raises(CorruptSample) as caught:
            reader[index]
        assert caught.value.part == part


@pytest.mark.parametrize("outline", ["mask", "polygon"])
def test_coco_text(tmp_path, outline):
    """Both versions; what is not legible has no text there."""
    draw(tmp_path / "train2014/COCO_7.jpg")
    anns = {
        "1": {"image_id": 7, outline: [1, 2, 30, 2, 30, 12, 1, 12], "utf8_string": "New", "legibility": "legible"},
        "2": {"image_id": 7, "bbox": [1, 20, 10, 10], "legibility": "illegible"},
        "3": {"image_id": 7, "bbox": [1, None, 10, 10], "legibility": "illegible"},
    }
    images = {"7": {"id": 7, "file_name": "COCO_7.jpg", "set": "train"}, "8": {"id": 8, "file_name": "COCO_8.jpg"}}
    write(tmp_path / "cocotext.v2.json", json.dumps({"imgs": images, "anns": anns, "imgToAnns": {"7": [1, 2, 3]}}))
    reader = open_reader(tmp_path)
    assert len(reader) == 1 and texts(reader[0]) == [("New", True), ("", False)]
    assert reader[0].flaws == (("region 3", "is no region with points"),)


def test_coco_text_has_its_parts_in_one_file(tmp_path):
    """What a model is validated on must not be learnt from."""
    draw(tmp_path / "train2014/a.jpg", tmp_path / "train2014/b.jpg")
    images = {"1": {"file_name": "a.jpg", "set": "train"}, "2": {"file_name": "b.jpg", "set": "val"}}
    anns = {n: {"image_id": int(n), "bbox": [1, 2, 9, 9], "utf8_string": n, "legibility": "legible"} for n in "12"}
    path = write(tmp_path / "cocotext.json", json.dumps({"imgs": images, "anns": anns, "imgToAnns": {}}))
    assert [open_reader(f"{path}#{part}").text(0) for part in ("train", "val")] == ["1", "2"]
    assert len(open_reader(tmp_path)) == 2 and open_reader(path).layout == "COCO-Text (train and val)"
    with pytest.raises(UserError, match="has no part test; there are train, val"):
        open_reader(f"{path}#test")
    with pytest.raises(UserError, match="there is no such file or folder"):
        open_reader(tmp_path / "gone.json#train")


def test_synthtext(tmp_path, monkeypatch):
    """scipy's arrays of objects, words over several pieces of text, and a single word without an axis of its own."""
    draw(tmp_path / "8/a_0.jpg", tmp_path / "8/a_1.jpg")
    write(tmp_path / "gt.mat", b"MATLAB 5.0")
    names, boxes, words = (np.empty((1, 2), object) for _ in range(3))
    for index in range(2):
        names[0, index] = np.array([f"8/a_{index}.jpg"])
    one = np.float64(BOX).T
    boxes[0, 0], boxes[0, 1] = np.stack([one, one + 5, np.zeros((2, 4))], axis=2), one
    words[0, 0], words[0, 1] = np.array(["Lines:\nI ", " lost  "]), np.array(["solo   "])
    data = {"imnames": names, "wordBB": boxes, "txt": words}
    monkeypatch.setitem(sys.modules, "scipy", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "scipy.io", SimpleNamespace(loadmat=lambda path: data))
    reader = open_reader(tmp_path)
    assert [reader.text(n) for n in range(2)] == ["Lines: I", "solo"]
    assert reader[0].regions[0].polygon.tolist() == BOX and reader[0].flaws == (("word 3", "has no area"),)


def test_synthtext_without_scipy_says_what_is_missing(tmp_path, monkeypatch):
    write(tmp_path / "gt.mat", b"MATLAB 5.0")
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(UserError, match="needs scipy; run pip install scipy"):
        open_reader(tmp_path)


PLATE = "025-95_113-15&38_38&47-38&39_17&38_15&20_36&21-0_0_22_27_27_33_16-37-15.jpg"


def test_ccpd(tmp_path):
    """The name is the annotation; its corners begin at the lower right."""
    draw(tmp_path / "ccpd_base" / PLATE, tmp_path / "ccpd_base/other.jpg")
    write(tmp_path / "splits/train.txt", f"ccpd_base/{PLATE}\nccpd_base/other.jpg\n")
    reader = open_reader(tmp_path)
    assert len(reader) == 1 and texts(reader[0]) == [("皖AY339S", True)]
    assert reader[0].regions[0].polygon.tolist() == [[15, 20], [36, 21], [38, 39], [17, 38]]
    split = open_reader(tmp_path / "splits/train.txt")
    assert len(split) == 2 and split.text(0) == "皖AY339S" and split[1].flaws == (("name", "is none of CCPD's"),)


def test_the_development_photographs_are_opened():
    """Real annotations of five sets."""
    root = Path(__file__).parents[4] / "../shared/data/scenes_dev"
    if not root.is_dir():
        pytest.skip("../shared is absent")
    counts = {name: len(open_reader(root / name)) for name in ("IC15", "SVT", "FUNSD", "SROIE", "TD500")}
    assert counts == {"IC15": 200, "SVT": 60, "FUNSD": 60, "SROIE": 40, "TD500": 60}
    assert open_reader(root / "SROIE").text(0).startswith("ASIA MART")
