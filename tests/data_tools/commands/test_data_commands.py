"""python -m data_tools lmdb, lexicon, inspect: what a user types and gets."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from data_tools.__main__ import COMMANDS
from data_tools.cli import main
from data_tools.readers import open_reader

ROOT = Path(__file__).parents[3]


@pytest.fixture
def tools(capsys):
    """Runs a command; (exit code, standard output, standard error)."""

    def run(*words) -> tuple[int, str, str]:
        code = main("data_tools", "", COMMANDS, [str(word) for word in words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_files_to_lmdb_and_back_keep_every_byte_and_label(tools, folder, tmp_path):
    root = folder(12)
    code, out, _ = tools("lmdb", root, tmp_path / "x.lmdb", "--json")
    assert code == 0 and json.loads(out) == {"path": str(tmp_path / "x.lmdb"), "n": 12, "skipped": {}}
    code, out, _ = tools("lmdb", tmp_path / "x.lmdb", tmp_path / "files", "--workers", 2)
    assert code == 0 and "12 samples" in out
    before, after = open_reader(root), open_reader(tmp_path / "files")
    for index in range(12):
        assert (before.stored(index).content, before.text(index)) == (after.stored(index).content, after.text(index))


def test_a_scores_second_encoding_survives_the_way_to_files_and_back(tools, lmdb_of, png_of, tmp_path):
    records = {b"num-samples": b"1", b"image-000000001": png_of(), b"label-000000001": b"clef-G2 note-C4_half"}
    made = lmdb_of({**records, b"agnostic-000000001": b"clef.G-L2 note.half-L0"})
    assert tools("lmdb", made, tmp_path / "files")[0] == 0
    assert tools("lmdb", tmp_path / "files", tmp_path / "again.lmdb")[0] == 0
    sample = open_reader(tmp_path / "again.lmdb")[0]
    assert (sample.text, sample.extra) == ("clef-G2 note-C4_half", {"agnostic": "clef.G-L2 note.half-L0"})


def test_nothing_is_overwritten_and_an_interrupted_run_to_files_is_resumed(tools, folder, tmp_path):
    root, out = folder(40), tmp_path / "files"
    (root / "image" / "5.png").unlink()
    assert tools("lmdb", root, out)[0] == 0
    whole = (out / "gt.txt").read_bytes()
    code, _, errors = tools("lmdb", root, out)
    assert code == 2 and errors.count("\n") == 1 and "exists already" in errors
    (out / "gt.txt").write_bytes(whole[:300])  # as a killed run leaves it, in the middle of a line
    assert tools("lmdb", root, out, "--resume")[0] == 0
    assert (out / "gt.txt").read_bytes() == whole


def test_a_folder_that_another_program_made_is_not_resumed_into(tools, folder):
    code, _, errors = tools("lmdb", folder(3, "a"), folder(3, "b"), "--resume")
    assert code == 2 and "not written by this command" in errors


@pytest.mark.parametrize("command", ["lmdb", "inspect"])
def test_a_mistake_is_one_line_that_names_the_path(tools, tmp_path, command):
    words = [command, tmp_path / "nowhere", *([tmp_path / "x.lmdb"] if command == "lmdb" else [])]
    code, out, errors = tools(*words)
    assert code == 2 and not out and errors.count("\n") == 1 and "nowhere" in errors
    assert not (tmp_path / "x.lmdb").exists()


def test_source_and_destination_must_differ(tools, usual_lmdb, tmp_path):
    path = usual_lmdb(2).rename(tmp_path / "x.lmdb")
    code, _, errors = tools("lmdb", path, path, "--resume")
    assert code == 2 and "source too" in errors and len(open_reader(path)) == 2


def test_a_lexicon_goes_to_standard_output_or_a_file(tools, tmp_path):
    (tmp_path / "words.txt").write_text("Hotel\nhotel\nBar!\n")
    assert tools("lexicon", tmp_path / "words.txt")[:2] == (0, "hotel\nbar\n")
    assert json.loads(tools("lexicon", tmp_path / "words.txt", "--json")[1]) == ["hotel", "bar"]
    code, out, _ = tools("lexicon", tmp_path / "words.txt", "--out", tmp_path / "out.txt", "--json")
    assert code == 0 and json.loads(out)["n"] == 2 and (tmp_path / "out.txt").read_text() == "hotel\nbar\n"


def test_lists_for_each_image_name_it_and_hold_its_label(tools, folder, tmp_path):
    root = folder(20)
    assert tools("lexicon", root, "--per-image", 5, "--out", tmp_path / "lex.txt")[0] == 0
    lines = [line.split("\t", 1) for line in (tmp_path / "lex.txt").read_text().splitlines()]
    assert [name for name, _ in lines] == [f"{i}.png" for i in range(20)]
    assert all(len(words.split(",")) == 5 for _, words in lines) and "exit" in lines[0][1].split(",")
    code, _, errors = tools("lexicon", root, "--per-image", 50)
    assert code == 2 and "10 distinct labels" in errors
    assert "--per-image is -1; it must be" in tools("lexicon", root, "--per-image", -1)[2]


def test_inspect_prints_figures_or_one_document_and_draws_the_sheet(tools, folder, tmp_path):
    root = folder(12)
    (root / "image" / "2.png").unlink()
    code, out, _ = tools("inspect", root, "--sheet", tmp_path / "s.png", "--count", 6)
    assert code == 0 and "12 samples, 11 good" in out and "2.png: the image file is missing" in out
    assert Image.open(tmp_path / "s.png").size[0] > 500
    code, out, _ = tools("inspect", root, "--json", "--workers", 1)
    assert json.loads(out)["bad"] == {"the image file is missing": 1}


def test_json_is_alone_on_standard_output_and_help_keeps_its_examples(folder, tmp_path):
    root = folder(40)
    (root / "image" / "2.png").unlink()
    command = [sys.executable, "-m", "data_tools", "lmdb", str(root), str(tmp_path / "x.lmdb"), "--json"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert json.loads(ended.stdout)["n"] == 39 and "left out 2.png" in ended.stderr
    shown = subprocess.run([*command[:4], "--help"], cwd=ROOT, capture_output=True, text=True).stdout
    assert "\n  python -m data_tools lmdb mjsynth.lmdb mjsynth_files\n" in shown


def test_inspect_says_what_a_folder_lacks(tools, folder, tmp_path):
    """Which layouts were looked for, and what came nearest."""
    (folder(3) / "gt.txt").unlink()
    code, out, errors = tools("inspect", tmp_path / "set")
    assert code == 2 and not out and errors.count("\n") == 1
    assert "looked for an LMDB" in errors and "nearest: image/ holds 3 pictures, but no gt.txt says" in errors


def test_a_name_that_is_not_utf_8_ends_no_command(tools, folder):
    """Where standard output is strict it is escaped."""
    root = folder(2)
    odd = root.with_name(root.name + "\udce9")
    root.rename(odd)
    done = subprocess.run(
        [sys.executable, "-m", "data_tools", "inspect", str(odd)],
        cwd=ROOT,
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "utf-8:strict"},
    )
    assert done.returncode == 0 and b"2 samples, 2 good" in done.stdout and b"Traceback" not in done.stderr


def test_a_lexicon_of_any_text_file(tools, tmp_path):
    for name, content in (("a.TXT", b"Hotel\r\nBar\r\n"), ("b.csv", b"Hotel;1\nBar;2\n"), ("c.words", b"Hotel\nBar")):
        (tmp_path / name).write_bytes(content)
        assert tools("lexicon", tmp_path / name)[1] == "hotel\nbar\n"


def test_inspect_knows_photographs(tools, tmp_path):
    """Whose layout it is, and what is wrong with it, in a few lines."""
    Image.new("RGB", (40, 30)).save(tmp_path / "img.png")
    (tmp_path / "gt_img.txt").write_text("1,2,30,2,30,12,1,12,Latin,a\n1,2,99,2,99,12,1,12,Latin,b\nrubbish\n")
    code, out, _ = tools("inspect", tmp_path)
    assert code == 0 and "layout: MLT\nregions: 2, 2 legible, 1 leave the picture, 0 cross themselves" in out
    assert "left out: 1 × is no quadrilateral with a script\n    img.png: line 3" in out
    assert json.loads(tools("inspect", tmp_path, "--json")[1])["layout"] == "MLT"
