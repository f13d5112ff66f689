"""python -m eval photos: protocols, lexicons in ICDAR's layout, figures and page."""

from __future__ import annotations

import base64
import json
import re

import pytest

from data_tools.cli import main
from data_tools.errors import UserError
from data_tools.readers import open_reader
from eval.__main__ import COMMANDS
from eval.photos.bench import Choices, evaluate
from eval.photos.faults import badness, mark_regions
from eval.photos.page import make_page
from eval.photos.protocols import find_family
from eval.photos.sets import PhotoSet, find_sets
from tests.eval.photos.conftest import fill_set
from tests.eval.words.browser import Browser


def embedded(html: str) -> list[dict]:
    """The photographs that a page holds."""
    return json.loads(re.search(r'id="data">(.*?)</script>', html, re.DOTALL).group(1))


@pytest.fixture
def command(capsys, stand, monkeypatch):
    """The command with the stand-in in the place of the models; (exit code, standard output, standard error)."""
    monkeypatch.setattr("ocr.options.open_models", lambda args: stand)

    def run(*words) -> tuple[int, str, str]:
        code = main("eval", "", COMMANDS, ["photos", *map(str, words)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def evaluated(stand, root, *names, **choices):
    sets, problems = find_sets(root, list(names) or None)
    return (
        [evaluate(stand, each, root, Choices(**choices)) for each in sets],
        {each.name: each for each in sets},
        problems,
    )


def test_figures_are_those_of_the_design(command, root):
    """{set: {n, detection, end_to_end by lexicon, words, cer}}, for those who read them with a program."""
    code, out, err = command("--root", root, "--json")
    assert code == 0 and "notes: " in err
    figures = json.loads(out)
    assert list(figures) == ["IC15", "SVT"]
    own = figures["IC15"]
    assert {"n", "detection", "deteval", "end_to_end", "words", "cer"} <= set(own) and own["n"] == 3
    assert own["detection"] == {"recall": 75.0, "precision": 75.0, "hmean": 75.0}
    assert own["words"] == {"recall": 50.0, "precision": 50.0, "f1": 50.0}
    assert {name: value["hmean"] for name, value in own["end_to_end"].items()} == {
        "none": 50.0,
        "S": 75.0,  # now for new
        "W": 50.0,  # not for new: it is in the dictionary, and wrong
        "G": 50.0,
    }


def test_a_set_that_is_annotated_in_part_is_judged_by_recall(command, root):
    figures = json.loads(command("--root", root, "--json", "--sets", "SVT")[1])["SVT"]
    assert figures["partial"] and figures["detection"] == {"recall": 75.0, "precision": None, "hmean": None}
    assert figures["words"]["f1"] is None
    figures = json.loads(command("--root", root, "--json", "--sets", "IC15", "--partial", "IC15")[1])["IC15"]
    assert figures["partial"] and figures["words"] == {"recall": 50.0, "precision": None, "f1": None}


def test_the_table_says_how_sets_were_judged_and_what_is_missing(command, root):
    code, out, _ = command("--root", root, "--lexicons", "S,full,none")
    assert code == 0 and re.search(r"IC15 +3 +75\.0 .* 75\.0 +50\.0 +50\.0", out)
    assert "SVT: only some words are annotated; judged by recall" in out
    assert "SVT S: left out, voc_img_1.txt is missing" in out and "notes: " in out


def test_lexicons_are_found_where_icdar_has_them(root, stand):
    """Each photograph has its own Strong one; the others hold for all."""
    evaluated(stand, root, "IC15", columns=["S"])
    assert stand.lexicons == [["EXIT", "now"], ["hotel", "bar"], ["far"]]
    stand.lexicons.clear()
    evaluated(stand, root, "IC15", columns=["W", "G", "full"])
    assert stand.lexicons[:3] == [["exit", "not", "hotel"], ["never"], ["EXIT", "now", "hotel", "bar"]]


def test_a_lexicon_that_lacks_a_photograph_is_left_out(root, stand):
    """A column of another meaning for a part of the set would mislead."""
    (root / "IC15/ch4_test_vocabularies_per_image/voc_img_2.txt").unlink()
    (result,), _, _ = evaluated(stand, root, "IC15", columns=["S", "none"])
    assert result.left_out == {"S": "voc_img_2.txt is missing"} and "S" not in result.to_json()["end_to_end"]


def test_a_lexicon_that_comes_with_the_photographs_is_strong(tmp_path, stand):
    """SVT's xml says 50 words for each."""
    fill_set(tmp_path / "x", {"1": ["EXIT", "now", "", ""]})
    rectangle = '<taggedRectangle x="110" y="10" width="80" height="20"><tag>now</tag></taggedRectangle>'
    image = f"<imageName>image/img_1.png</imageName><lex>NOW,EXIT</lex><taggedRectangles>{rectangle}</taggedRectangles>"
    (tmp_path / "x" / "test.xml").write_text(f"<tagset><image>{image}</image></tagset>")
    photos = PhotoSet("SVT", tmp_path / "x", open_reader(tmp_path / "x" / "test.xml"), "")
    result = evaluate(stand, photos, tmp_path, Choices())
    assert stand.lexicons == [["NOW", "EXIT"]] and result.to_json()["end_to_end"]["S"]["recall"] == 100.0


def test_families_are_known_by_name_or_layout():
    assert find_family("SVT", "quadrilaterals").partial and find_family("a/SROIE2019", "").unit == "lines"
    assert find_family("mine", "MSRA-TD500").unit == "lines" and find_family("mine", "MLT").unit == "words"


def test_one_set_alone_may_be_named(root, stand):
    results, _, _ = evaluated(stand, root / "IC15")
    assert [result.name for result in results] == ["IC15"] and results[0].to_json()["n"] == 3


@pytest.mark.parametrize(
    "options, said",
    [
        (("--lexicons", "X"), "--lexicons X: it takes S, W, G, full, none"),
        (("--sets", "gone"), "gone: there is no such folder"),
        (("--limit", -1), "--limit is -1"),
        (("--partial", "SVTP"), "--partial SVTP: there is no such set; there are IC15, SVT"),
    ],
)
def test_a_mistake_is_one_line(command, root, options, said):
    code, out, err = command("--root", root, *options)
    assert (code, out) == (2, "") and said in err.strip().splitlines()[-1] and "Traceback" not in err


def test_a_root_without_sets_is_one_line(tmp_path):
    with pytest.raises(UserError, match="there is no such folder"):
        find_sets(tmp_path / "gone")
    with pytest.raises(UserError, match="no set can be read"):
        find_sets(tmp_path)


def test_faults_are_told_apart(root, stand):
    """Missed, misread and false ones; what is not judged is none of them."""
    (result,), _, _ = evaluated(stand, root, "IC15")
    kinds = [
        [(mark.kind, mark.truth, mark.text) for mark in mark_regions(judged, False)]
        for _, _, judged in result.measured.photographs
    ]
    assert kinds[0][:2] == [("misread", "now", "new"), ("right", "EXIT", "exit")]
    assert kinds[1] == [("missed", "bar", ""), ("false", "", "ghost"), ("right", "hotel", "hotel")] and not kinds[2]
    marks = mark_regions(result.measured.photographs[1][2], True)
    assert [mark.kind for mark in marks] == ["missed", "right", "ignored"] and badness(marks) == (0.5, 1)


def test_the_page_needs_nothing_but_itself_and_shows_the_worst_first(root, stand):
    results, sets, problems = evaluated(stand, root)
    html = make_page(results, sets, "<model>", problems)
    assert not re.search(r"(src|href)=[\"']?http|@import|<link", html)
    assert "&lt;model&gt;" in html and html.count("</script>") == 3
    data = embedded(html)
    first, second = ((item["set"], item["key"]) for item in data[:2])
    assert (first, second) == (("IC15", "image/img_2.png"), ("SVT", "image/img_1.png"))
    assert all(base64.b64decode(item["image"].split(",")[1])[:2] == b"\xff\xd8" for item in data)
    assert len(embedded(make_page(results, sets, "", [], 1))) == 1


def test_a_hostile_text_cannot_break_out_of_the_page(tmp_path, stand):
    fill_set(tmp_path / "set", {"1": ["</script><b>", "now", "", ""]})
    results, sets, _ = evaluated(stand, tmp_path / "set")
    assert make_page(results, sets, "m", []).count("</script>") == 3


def test_the_page_is_filtered_in_a_browser(root, stand, tmp_path):
    """By set, by kind of fault and by text; the outlines lie over the picture."""
    path = tmp_path / "page.html"
    path.write_text(make_page(*evaluated(stand, root)[:2], "model", []), "utf-8")
    with Browser() as browser:
        browser.open(path.as_uri())
        assert browser.text("#shown") == "4 of 4 shown"
        browser.click("#set option[value='IC15']")
        assert browser.text("#shown") == "2 of 4 shown"
        browser.click("#kind option[value='false']")
        assert browser.text("#shown") == "1 of 4 shown" and "ghost" in browser.text("#cards")
        assert browser.run("return document.querySelectorAll('polygon.false').length") == 1
        browser.click("#only")
        assert browser.run("return document.querySelectorAll('polygon').length") == 1
        inside = """const image = document.querySelector('.photo img').getBoundingClientRect();
            const shape = document.querySelector('polygon').getBoundingClientRect();
            const scale = image.width / 200;
            return [(shape.left - image.left) / scale, (shape.bottom - image.top) / scale].map(Math.round)"""
        left, bottom = browser.run(inside)
        assert abs(left - 10) <= 1 and abs(bottom - 80) <= 1, "outlines are drawn where the regions are"
        assert browser.run("return [...document.images].every(image => image.complete && image.naturalWidth > 0)")
        assert browser.screenshot()[:4] == b"\x89PNG"
