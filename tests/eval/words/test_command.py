"""`python -m eval words` as a script would use it: one JSON document, one line for a mistake, the right exit code."""

import json

import pytest

import eval.words.subject
from eval.__main__ import COMMANDS, main
from tests.eval.words.conftest import Stand


@pytest.fixture
def words(monkeypatch, capsys, root):
    monkeypatch.setattr(eval.words.subject, "load", lambda weights, beam, language: Stand())

    def command(*options):
        code = main("eval", "", COMMANDS, ["words", "--root", str(root), "--weights", "stand", *map(str, options)])
        return code, *capsys.readouterr()

    return command


def test_json_is_one_document_with_the_agreed_keys(words):
    code, out, _ = words("--json", "--lexicons", "none,50,50k")
    document = json.loads(out)
    assert code == 0
    assert document["weights"] == "stand"
    assert document["sets"]["SVT"]["n"] == 3
    assert {"accuracy", "ned", "cer", "interval", "calibration_error"} <= document["sets"]["SVT"]["none"].keys()
    assert {"outside", "fallbacks", "lexicon"} <= document["sets"]["SVT"]["50k"].keys()
    assert "distinct labels" in document["sets"]["IC03"]["left_out"]["50"]
    assert document["problems"] == []


def test_the_table_puts_the_published_rows_with_ours_and_names_what_is_missing(words):
    _, out, _ = words()
    lines = out.splitlines()
    cells = {line.split("  ")[0]: line.split()[-11:] for line in lines}
    assert "CRNN paper" in cells and "Jittor report" in cells and "stand" in cells
    assert next(line for line in lines if line.startswith("CRNN paper")).split()[2:4] == ["80.8", "96.4"]
    assert any(line.startswith("IC03 1k: left out, ") for line in lines)
    assert any("calibration" in line for line in lines)


def test_the_page_is_written_with_the_table(words, tmp_path):
    code, *_ = words("--html", tmp_path / "out" / "page.html")
    assert code == 0
    assert "CRNN paper" in (tmp_path / "out" / "page.html").read_text("utf-8")


def test_broken_sets_do_not_stop_the_others(words, root):
    (root / "IC13" / "image").mkdir(parents=True)
    (root / "IC15").mkdir()
    (root / "IC15" / "gt.txt").write_text("1.png\n2.png\n")
    code, out, _ = words()
    assert code == 0
    assert "IC13: has pictures but no gt.txt" in out
    assert "IC15: no image has a label that counts" in out


@pytest.mark.parametrize(
    "options, said",
    [
        (("--protocol", "mine"), "--protocol mine"),
        (("--lexicons", "9k"), "--lexicons 9k"),
        (("--sets", "IC99"), "no such set"),
        (("--seed", "x"), "seed"),
        (("--character-model", "0.5"), "--beam"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(words, options, said):
    code, out, err = words(*options)
    assert (code, out) == (2, "")
    assert said in err and len(err.strip().splitlines()) == 1


def test_ten_sets_stand_side_by_side_with_their_averages(words, root):
    code, out, _ = words("--protocol", "mindocr", "--json")
    document = json.loads(out)
    figures = [figures["none"] for figures in document["sets"].values()]
    mean = sum(figure["accuracy"] for figure in figures) / len(figures)
    assert code == 0 and document["average"]["unweighted"] == pytest.approx(mean)
    assert document["sets"]["IC03"]["n"] == len((root / "IC03/gt.txt").read_text().splitlines())
    (root / "IC03").rename(root / "IC03_860")
    _, out, _ = words("--protocol", "mindocr")
    assert "96.22" not in out and "96.2" in next(
        line for line in out.splitlines() if line.startswith("ABINet, MindOCR")
    )
    assert "average of 2 sets, stand: " in out and "average of 2 sets, ABINet, MindOCR: " in out
