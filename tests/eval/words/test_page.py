"""The page is what people look at: it must say what the figures say, and its filter must work in a browser."""

import base64
import json
import re
from dataclasses import replace

import pytest

from eval.words.bench import Evaluation
from eval.words.page import collect_wrong, count_confusions, make_page, measure_by_length
from eval.words.protocols import get_protocol
from eval.words.sets import find_sets
from tests.eval.words.browser import Browser
from tests.eval.words.conftest import Stand, fill_set


@pytest.fixture
def evaluated(root):
    evaluation = Evaluation(Stand(), get_protocol("paper"), ["none", "50", "50k"], root / "Hunspell_en.txt")
    sets, _ = find_sets(root)
    return [evaluation.run(test_set) for test_set in sets], sets


def test_page_needs_nothing_but_itself_and_shows_every_wrong_reading(evaluated):
    html = make_page(*evaluated, get_protocol("paper"), "<model>", ["SVT: a <problem>"])
    assert not re.search(r"(src|href)=[\"']?http|@import|<link", html)
    assert "&lt;model&gt;" in html and "a &lt;problem&gt;" in html
    data = json.loads(re.search(r'id="data">(.*?)</script>', html, re.DOTALL).group(1))
    assert [item["truth"] for item in data] == ["zebra", "room", "horse", "hotel"]
    assert all(base64.b64decode(item["image"].split(",")[1])[:2] == b"\xff\xd8" for item in data)
    assert data[3]["answers"]["50"] == {"word": "motel", "right": False, "within": True}


def test_a_hostile_label_cannot_break_out_of_the_page(root):
    fill_set(root / "IC15", [("ab", "xx")])
    (root / "IC15" / "gt.txt").write_text("1_1.png </script><script>ab\n")
    evaluation = Evaluation(Stand(), get_protocol("paper"), ["none"], None)
    sets, _ = find_sets(root, ["IC15"])
    results = [evaluation.run(test_set) for test_set in sets]
    results[0].items[0] = replace(results[0].items[0], key="</script><b>")
    assert make_page(results, sets, get_protocol("paper"), "m", []).count("</script>") == 2


def test_worst_come_first_and_a_limit_keeps_them(evaluated):
    results, sets = evaluated
    wrong, total = collect_wrong(results, {one.name: one for one in sets}, 2)
    assert ([item["truth"] for item in wrong], total) == (["zebra", "room"], 4)


def test_confusions_count_substitutions_losses_and_additions(evaluated):
    counts = count_confusions(evaluated[0])
    assert counts["o", "c"] == 1
    assert counts["l", "∅"] == 1
    assert counts["s", "z"] == 1


def test_accuracy_by_length_is_per_set(evaluated):
    curves = {curve.name: curve.points for curve in measure_by_length(evaluated[0])}
    assert curves["IC03"] == [(5.0, pytest.approx(100 / 3))]
    assert curves["SVT"] == []


def test_filter_works_in_a_browser(evaluated, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(make_page(*evaluated, get_protocol("paper"), "model", []), "utf-8")
    with Browser() as browser:
        browser.open(path.as_uri())
        assert browser.text("#shown") == "4 of 4 shown"
        browser.click("#set option[value='SVT']")
        assert browser.text("#shown") == "2 of 4 shown"
        browser.click("#column option[value='50']")
        assert browser.text("#shown") == "1 of 4 shown"
        assert "motel" in browser.text("#cards")
        assert browser.run("return [...document.images].every(image => image.complete && image.naturalWidth > 0)")
        picture = browser.screenshot()
        assert picture[:4] == b"\x89PNG" and len(picture) > 5000
