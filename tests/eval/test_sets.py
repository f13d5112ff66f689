"""Finding test sets: what is there is found, what is no use is named, the rest is tested."""

import io

import lmdb
import pytest

from data_tools.errors import UserError
from eval import sets
from tests.eval.conftest import fill_set, spell


def write_lmdb(path, labels):
    path.mkdir(parents=True)
    with lmdb.open(str(path), map_size=2**24) as environment, environment.begin(write=True) as transaction:
        transaction.put(b"num-samples", str(len(labels)).encode())
        for i, label in enumerate(labels, 1):
            picture = io.BytesIO()
            spell(label).save(picture, "PNG")
            transaction.put(b"image-%09d" % i, picture.getvalue())
            transaction.put(b"label-%09d" % i, label.encode())


def test_the_reports_layout_is_read_as_it_is(root):
    found, problems = sets.find(root)
    assert [test_set.name for test_set in found] == ["SVT", "IC03"]
    assert problems == []
    assert found[0].official == {"50": {"1": ["living", "room", "kenny"], "2": ["room", "red"], "3": ["motel", "inn"]}}
    assert found[1].official == {}


def test_lmdbs_are_sets_however_they_are_nested(tmp_path):
    write_lmdb(tmp_path / "evaluation" / "CUTE80", ["one"])
    write_lmdb(tmp_path / "SVTP", ["two", "three"])
    found, _ = sets.find(tmp_path)
    assert {test_set.name: len(test_set.reader) for test_set in found} == {"SVTP": 2, "evaluation/CUTE80": 1}
    assert sets.find(tmp_path, ["cute80"])[0][0].name == "evaluation/CUTE80"
    assert sets.find(tmp_path / "SVTP")[0][0].name == "SVTP"


def test_linked_sets_are_found_and_links_that_lead_back_do_no_harm(root, tmp_path_factory):
    here = tmp_path_factory.mktemp("links")
    (here / "SVT").symlink_to(root / "SVT")
    (here / "again").symlink_to(here)
    assert [test_set.name for test_set in sets.find(here)[0]] == ["SVT"]


def test_useless_sets_are_one_line_each_and_the_rest_goes_on(root):
    (root / "IC13" / "image").mkdir(parents=True)
    (root / "IC15").mkdir()
    (root / "IC15" / "gt.txt").write_bytes(b"\0\1\2")
    found, problems = sets.find(root, ["IC13", "IC15", "IC99", "SVT"])
    assert [test_set.name for test_set in found] == ["SVT"]
    assert problems[0] == "IC13: has pictures but no gt.txt; without labels it cannot be scored"
    assert problems[1].startswith("IC15: ") and "not a text file" in problems[1]
    assert problems[2].startswith("IC99: no such set; there are: ")


@pytest.mark.parametrize("content, said", [(b"\0\xff", "not a text file"), (b"\n\n", "has no line")])
def test_an_official_lexicon_that_cannot_be_used_is_named(root, content, said):
    (root / "SVT" / "lex.txt").write_bytes(content)
    found, problems = sets.find(root)
    assert found[0].official == {}
    assert said in problems[0] and "drawn" in problems[0]


def test_nothing_to_test_is_an_error(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        sets.find(tmp_path / "nowhere")
    with pytest.raises(UserError, match="no test set can be read"):
        sets.find(tmp_path)
    fill_set(tmp_path / "A" / "X", [("a", "a")])
    fill_set(tmp_path / "B" / "X", [("a", "a")])
    with pytest.raises(UserError, match="several sets have this name"):
        sets.find(tmp_path, ["X"])
