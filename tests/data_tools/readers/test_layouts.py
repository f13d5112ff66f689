"""Data sets as they are published, copied and damaged: what is one opens, what is none is told what it lacks."""

import json
import os
import unicodedata

import lmdb
import pytest

from data_tools.errors import UserError
from data_tools.readers import open_reader
from data_tools.readers import walk as walking
from data_tools.readers.primus import PrimusReader
from data_tools.readers.walk import DEPTH, walk
from data_tools.sample import CorruptSample

TEXTS = ["Exit", 'say "no"', "two words", "10,000"]


def fill(folder, png_of, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png_of(name))


LISTS = {
    "ICDAR 2013 and 2015": ("gt.txt", '{n}, "{q}"\r\n', ""),
    "ICDAR, its own file name": ("Challenge2_Test_Task3_GT.txt", '{n}, "{q}"\r\n', "Challenge2_Test_Task3_Images"),
    "ICDAR, without the space": ("gt.txt", '{n},"{q}"\n', ""),
    "ICDAR 2017, with the script": ("gt.txt", "{n},Latin,{t}\r\n", ""),
    "commas without quotes": ("labels.txt", "{n},{t}\n", "images"),
    "JSON lines": ("metadata.jsonl", '{{"file_name": "{n}", "text": "{q}"}}\n', ""),
    "PaddleOCR": ("rec_gt_train.txt", "{n}\t{t}\n", "train"),
    "white space": ("gt.txt", "{n} {t}\n", "image"),
    "Windows": ("gt.txt", "image\\{n}\t{t}\r\n", "image"),
    "capitals, as Windows copies": ("GT.TXT", "{n}\t{t}\r\n", "image"),
    "line ends of three systems": ("gt.txt", "{n}\t{t}\r\r\n \t\n", "image"),
    "Windows, from the set": ("gt.txt", ".\\image\\{n}\t{t}\r\n", "image"),
}


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf", b"\xff\xfe"], ids=["plain", "UTF-8 mark", "UTF-16"])
@pytest.mark.parametrize("name", LISTS)
def test_published_lists_of_labels_are_read(name, mark, tmp_path, png_of):
    """Every picture is found and its label is what the list says, without quotes, marks and line ends."""
    file, line, folder = LISTS[name]
    names = [f"word_{number}.png" for number in range(1, 5)]
    fill(tmp_path / folder, png_of, *names)
    inside = f"{folder}/" if name == "PaddleOCR" else ""
    lines = "".join(line.format(n=inside + n, t=text, q=text.replace('"', '\\"')) for n, text in zip(names, TEXTS))
    (tmp_path / file).write_bytes(mark + lines.encode("utf-16-le" if mark == b"\xff\xfe" else "utf-8"))
    for path in (tmp_path, tmp_path / file):
        reader = open_reader(path)
        assert [reader[index].text for index in range(4)] == TEXTS


TABLES = {
    "labels.json": json.dumps({f"word_{n}.png": text for n, text in enumerate(TEXTS, 1)}),
    "label.json": json.dumps([{"filename": f"word_{n}.png", "words": text} for n, text in enumerate(TEXTS, 1)]),
    "labels.csv": 'filename,words\nword_1.png,Exit\nword_2.png,"say ""no"""\nword_3.png,two words\nword_4.png,"10,000"',
    "metadata.csv": 'id;text;file_name\n1;Exit;word_1.png\n2;"say ""no""";word_2.png\n3;two words;word_3.png\n'
    "4;10,000;word_4.png\n",
    "label.csv": 'word_1.png,Exit\nword_2.png,"say ""no"""\nword_3.png,two words\nword_4.png,10,000\n',
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_labels_are_read(name, tmp_path, png_of):
    """docTR's, EasyOCR's and Hugging Face's."""
    fill(tmp_path / "images", png_of, *(f"word_{number}.png" for number in range(1, 5)))
    (tmp_path / name).write_text(TABLES[name])
    reader = open_reader(tmp_path)
    assert [reader[index].text for index in range(4)] == TEXTS and len(reader) == 4


@pytest.mark.parametrize("ends", ["\r", "\n", "\r\n"])
def test_lines_that_several_systems_wrote_are_each_a_sample(ends, tmp_path, png_of):
    """A file joined of parts: no label may hold the next line, and no blank or DOS's end of file is a sample."""
    fill(tmp_path / "image", png_of, "1.png", "2.png", "3.png")
    (tmp_path / "gt.txt").write_bytes(f"1.png\tone\r2.png\ttwo\n  \n3.png\tthree{ends}\x1a".encode())
    reader = open_reader(tmp_path)
    assert [reader[index].text for index in range(len(reader))] == ["one", "two", "three"]


@pytest.mark.parametrize(("listed", "stored"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_name_is_found_in_either_normal_form(listed, stored, tmp_path, png_of):
    """A Mac stores é as two characters; the list that names the file looks the same."""
    name = "image/caf\u00e9.png"
    fill(tmp_path, png_of, unicodedata.normalize(stored, name))
    (tmp_path / "gt.txt").write_text(f"{unicodedata.normalize(listed, name)}\tcafé\n", "utf-8")
    assert open_reader(tmp_path)[0].text == "café"


@pytest.mark.parametrize("content", ["{", "[" * 100_000, "7", "{}", '{"a.png": {"b": 1}}', "[1, 2]", '"\\ud800"'])
def test_a_json_file_of_something_else_is_no_list(content, tmp_path):
    (tmp_path / "labels.json").write_text(content)
    for path in (tmp_path, tmp_path / "labels.json"):
        with pytest.raises(UserError, match=r"nearest: labels\.json"):
            open_reader(path)


def test_half_a_character_is_a_bad_label(tmp_path, png_of):
    """JSON can say what UTF-8 cannot."""
    fill(tmp_path, png_of, "a.png", "b.png")
    (tmp_path / "labels.json").write_text('{"a.png": "\\ud800", "b.png": "good"}')
    reader = open_reader(tmp_path)
    with pytest.raises(CorruptSample, match="not UTF-8"):
        reader[0]
    assert reader[1].text == "good"


def test_a_comma_in_a_name_or_label_of_other_lists_is_part_of_it(tmp_path, png_of):
    fill(tmp_path / "image", png_of, "a,b.png", "c.png")
    (tmp_path / "gt.txt").write_text("a,b.png\tone, two\nc.png x.png, y\n")
    reader = open_reader(tmp_path)
    assert [(reader[i].key, reader[i].text) for i in (0, 1)] == [("a,b.png", "one, two"), ("c.png", "x.png, y")]


def test_a_backslash_leads_out_of_the_set_no_more_than_a_slash(tmp_path, png_of):
    fill(tmp_path, png_of, "out.png", "set/image/in.png")
    (tmp_path / "set/gt.txt").write_text("..\\out.png\tword\n")
    with pytest.raises(CorruptSample, match="leads out"):
        open_reader(tmp_path / "set")[0]


def test_several_lists_are_not_mixed_by_accident(tmp_path, png_of):
    fill(tmp_path, png_of, "train/1.png", "test/2.png")
    (tmp_path / "rec_gt_train.txt").write_text("train/1.png\ta\n")
    (tmp_path / "rec_gt_test.txt").write_text("test/2.png\tb\n")
    with pytest.raises(UserError, match=r"has rec_gt_test\.txt, rec_gt_train\.txt; name one of them"):
        open_reader(tmp_path)
    assert open_reader(tmp_path / "rec_gt_train.txt")[0].text == "a"


def records(png_of, count=3, **further) -> dict[bytes, bytes]:
    made = {b"num-samples": str(count).encode()}
    for number in range(1, count + 1):
        made |= {b"image-%09d" % number: png_of(str(number)), b"label-%09d" % number: b"\xef\xbb\xbfword \r\n"}
        made |= {f"{kind}-{number:09}".encode(): value for kind, value in further.items()}
    return made


def test_image_and_label_are_enough(lmdb_of, png_of):
    """A mask that is no text, and a text that some samples lack, make none of them corrupt."""
    reader = open_reader(lmdb_of(records(png_of, mask=b"\x89PNG\0\xff", zeros=b"\0\0")))
    assert [(reader[i].text, reader[i].extra) for i in range(3)] == [("word", {})] * 3
    partly = open_reader(lmdb_of(records(png_of) | {b"note-000000002": b" seen "}, "partly"))
    assert [partly[i].extra for i in range(3)] == [{}, {"note": "seen"}, {}]


@pytest.mark.parametrize("said", [b"2\n", b" 2", b"2\0", b"0002"])
def test_a_count_is_read_like_any_text(said, lmdb_of, png_of):
    """White space around num-samples is no other layout."""
    assert len(open_reader(lmdb_of(records(png_of, 2) | {b"num-samples": said}))) == 2


def test_an_lmdb_with_a_broken_page_is_one_line_or_bad_samples(lmdb_of, png_of):
    """LMDB's own CorruptedError reaches nobody."""
    path = lmdb_of({b"key%06d" % n: b"x" * 50 for n in range(2000)} | records(png_of))
    file = path / "data.mdb"
    whole, size = file.read_bytes(), os.sysconf("SC_PAGE_SIZE")
    refused = 0
    for page in range(2, len(whole) // size):
        file.write_bytes(whole[: page * size] + b"\xff" * size + whole[(page + 1) * size :])
        try:
            reader = open_reader(path)
        except UserError as error:
            refused += "\n" not in str(error)
            continue
        for index in range(len(reader)):
            try:
                assert reader[index].text
            except CorruptSample:
                refused += 1
        del reader
    assert refused
    assert lmdb.version()


NEAREST = {
    "pictures": (["a.png", "b.png"], "holds 2 pictures, but no gt.txt says what they show"),
    "pictures in a folder": (["sub/image/a.png"], "holds 1 pictures, but no gt.txt"),
    "prose beside a picture": (["a.png", "a.txt"], "a.txt lies beside its picture, but has no region of text"),
    "a table": (["labels.json"], "labels.json may hold labels in a form that is not read"),
    "an archive": (["MJ.tar"], "MJ.tar is an archive; unpack it first"),
    "half an LMDB": (["words.lmdb"], "words.lmdb begins unlike an LMDB"),
    "a lexicon": (["lexicon.txt"], "lexicon.txt is MJSynth's, but there is no annotation file"),
    "something else": (["notes.md"], "1 files, such as notes.md"),
    "nothing": ([], "it holds no files"),
}


@pytest.mark.parametrize("name", NEAREST)
def test_an_unknown_folder_is_told_what_it_lacks(name, tmp_path, png_of):
    """Which layouts were looked for, how deep, and what came nearest."""
    files, said = NEAREST[name]
    fill(tmp_path, png_of, *files)
    with pytest.raises(UserError) as raised:
        open_reader(tmp_path)
    line = str(raised.value)
    assert f"{DEPTH} levels deep; looked for an LMDB" in line and "PrIMuS" in line and said in line, line


def test_a_list_whose_pictures_are_elsewhere_is_named(tmp_path):
    (tmp_path / "labels.txt").write_text("word_1.png\tExit\n")
    with pytest.raises(UserError, match=r"nearest: labels\.txt names pictures such as word_1\.png, which lie neither"):
        open_reader(tmp_path)


def test_side_files_and_folders_are_not_looked_into(folder, tmp_path, png_of):
    folder(2, "all/set")
    for side in ("all/__MACOSX/set", "all/.cache/set"):
        folder(1, side)
    (tmp_path / "all/set/._gt.txt").write_bytes(b"\0\5\x16\7")
    assert len(open_reader(tmp_path / "all")) == 2


def test_it_looks_to_a_stated_depth(folder, tmp_path):
    """As deep as the message says, and what lies deeper is known."""
    deep = "/".join("abcdefgh"[:DEPTH])
    folder(1, f"in/{deep}")
    assert len(open_reader(tmp_path / "in")) == 1
    folder(1, f"out/{deep}/z")
    with pytest.raises(UserError, match=f"{DEPTH} levels deep"):
        open_reader(tmp_path / "out")
    cut = []
    assert list(walk(tmp_path / "out", cut=cut)) and cut == [tmp_path / "out" / deep / "z"]


def test_a_whole_disk_is_refused_after_so_many_folders(tmp_path, monkeypatch, caplog):
    """And on the way it is said where it is."""
    monkeypatch.setattr(walking, "FOLDERS", 5)
    monkeypatch.setattr(walking, "_SAID", 2)
    for name in "abcdefg":
        (tmp_path / name).mkdir()
    with pytest.raises(UserError, match="has more than 5 folders; name the folder of the data set itself"):
        open_reader(tmp_path)
    assert f"2 folders looked into, {DEPTH} levels deep at most, now" in caplog.text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_split_files_and_encodings_of_scores_as_windows_writes_them(encoding, tmp_path, png_of):
    """A byte order mark is no part of the first score's name, nor of its first symbol."""
    for name in ("1_1", "2_1"):
        fill(tmp_path / name, png_of, f"{name}.png")
        (tmp_path / name / f"{name}.semantic").write_bytes("clef-G2\tbarline \r\n".encode(encoding))
    (tmp_path / "train.txt").write_bytes("2_1\r\nData\\1_1.png \r\n".encode(encoding))
    reader = PrimusReader(tmp_path, split="train")
    assert [(reader[i].key, reader[i].text) for i in (0, 1)] == [("2_1", "clef-G2 barline"), ("1_1", "clef-G2 barline")]


def test_an_mjsynth_set_from_windows(tmp_path, png_of):
    fill(tmp_path, png_of, "1/1_Slow_0.png")
    (tmp_path / "annotation_train.txt").write_bytes("\ufeff.\\1\\1_Slow_0.png 0\r\n".encode())
    (tmp_path / "lexicon.txt").write_bytes("\ufeffslow\r\n".encode())
    assert open_reader(tmp_path)[0].text == "Slow"
