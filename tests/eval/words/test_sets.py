"""Finding test sets: what is there is found, what is no use is named, the rest is tested."""

import io

import lmdb
import pytest

from data_tools.errors import UserError
from eval.words import sets
from eval.words.choices import assign_lexicons
from tests.eval.words.conftest import fill_set, spell


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
    found, problems = sets.find_sets(root)
    assert [test_set.name for test_set in found] == ["SVT", "IC03"]
    assert problems == []
    assert found[0].official == {"50": {"1": ["living", "room", "kenny"], "2": ["room", "red"], "3": ["motel", "inn"]}}
    assert found[1].official == {}


def test_lmdbs_are_sets_however_they_are_nested(tmp_path):
    write_lmdb(tmp_path / "evaluation" / "CUTE80", ["one"])
    write_lmdb(tmp_path / "SVTP", ["two", "three"])
    found, _ = sets.find_sets(tmp_path)
    assert {test_set.name: len(test_set.reader) for test_set in found} == {"SVTP": 2, "evaluation/CUTE80": 1}
    assert sets.find_sets(tmp_path, ["cute80"])[0][0].name == "evaluation/CUTE80"
    assert sets.find_sets(tmp_path / "SVTP")[0][0].name == "SVTP"


def test_linked_sets_are_found_and_links_that_lead_back_do_no_harm(root, tmp_path_factory):
    here = tmp_path_factory.mktemp("links")
    (here / "SVT").symlink_to(root / "SVT")
    (here / "again").symlink_to(here)
    assert [test_set.name for test_set in sets.find_sets(here)[0]] == ["SVT"]


def test_useless_sets_are_one_line_each_and_the_rest_goes_on(root):
    (root / "IC13" / "image").mkdir(parents=True)
    (root / "IC15").mkdir()
    (root / "IC15" / "gt.txt").write_bytes(b"\0\1\2")
    found, problems = sets.find_sets(root, ["IC13", "IC15", "IC99", "SVT"])
    assert [test_set.name for test_set in found] == ["SVT"]
    assert problems[0] == "IC13: has pictures but no gt.txt; without labels it cannot be scored"
    assert problems[1].startswith("IC15: ") and "not a text file" in problems[1]
    assert problems[2].startswith("IC99: no such set; there are: ")


@pytest.mark.parametrize("content, said", [(b"\0\xff", "not a text file"), (b"\n\n", "has no line")])
def test_an_official_lexicon_that_cannot_be_used_is_named(root, content, said):
    (root / "SVT" / "lex.txt").write_bytes(content)
    found, problems = sets.find_sets(root)
    assert found[0].official == {}
    assert said in problems[0] and "drawn" in problems[0]


def test_nothing_to_test_is_an_error(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        sets.find_sets(tmp_path / "nowhere")
    with pytest.raises(UserError, match="no test set can be read"):
        sets.find_sets(tmp_path)
    fill_set(tmp_path / "A" / "X", [("a", "a")])
    fill_set(tmp_path / "B" / "X", [("a", "a")])
    with pytest.raises(UserError, match="several sets have this name"):
        sets.find_sets(tmp_path, ["X"])


def make_lexicons(source, out) -> int:
    """`data_tools lexicon --per-image 2`."""
    from data_tools.__main__ import COMMANDS
    from data_tools.cli import main

    return main("data_tools", "", COMMANDS, ["lexicon", str(source), "--per-image", "2", "--out", str(out)])


def test_lexicons_of_data_tools_are_found_again(root):
    """lex.txt with the names of the pictures, ending and all, is the set's official lexicon."""
    folder = root / "IC03"
    assert make_lexicons(folder, folder / "lex.txt") == 0
    found, problems = sets.find_sets(root, ["IC03"])
    names = [found[0].reader[index].key for index in range(len(found[0].reader))]
    choices = assign_lexicons("50", names, [""] * len(names), found[0].official["50"], 1)
    assert not problems and choices.source == "official" and [len(numbers) for numbers in choices.numbers] == [2] * 6


def test_lexicons_of_data_tools_of_names_that_are_no_plain_words(root):
    """With white space, or a folder behind a backslash; two of one name cannot be told apart."""
    folder = root / "IC03"
    lines = (folder / "gt.txt").read_text().splitlines()
    spelt = [f"image\\{line.split()[0]}\t{line.split()[1]}" for line in lines]
    (folder / "image" / lines[0].split()[0]).rename(folder / "image" / "a word.png")
    spelt[0] = f"a word.png\t{lines[0].split()[1]}"
    (folder / "gt.txt").write_text("\n".join(spelt))
    assert make_lexicons(folder, folder / "lex.txt") == 0
    found, problems = sets.find_sets(root, ["IC03"])
    names = [found[0].reader[index].key for index in range(len(found[0].reader))]
    choices = assign_lexicons("50", names, [""] * len(names), found[0].official["50"], 1)
    assert not problems and choices.source == "official" and names[0] == "a word.png" and "\\" in names[1]
    assert make_lexicons(root, folder / "lex.txt") == 2


def test_official_lexicons_of_all_kinds_of_names(root):
    (root / "SVT" / "lex.txt").write_bytes("\ufeff1_1.png A,B\r\n2_1.JPG\tC,D\r\n3 E\r\n".encode())
    assert sets.find_sets(root, ["SVT"])[0][0].official["50"] == {"1_1": ["a", "b"], "2_1": ["c", "d"], "3": ["e"]}


def test_it_says_where_and_how_deep_it_looks(root, caplog):
    """A huge folder is not walked in silence, nor to its end."""
    for number in range(100):
        (root / "other" / f"{number:03}").mkdir(parents=True)
    deep = root.joinpath(*"abcdefgh")
    fill_set(deep, [("a", "a")])
    found, problems = sets.find_sets(root)
    assert [test_set.name for test_set in found] == ["SVT", "IC03"]
    assert problems == [f"1 folders lie deeper than 6 levels and were not looked into, such as {root}/a/b/c/d/e/f/g"]
    assert f"{root}: 100 folders looked into, 6 levels deep at most, now {root}/other/" in caplog.text


def test_a_set_with_a_list_as_icdar_publishes_it(root):
    """Beside the report's layout."""
    folder = fill_set(root / "IC13", [("one", "one")])
    (folder / "gt.txt").rename(folder / "Challenge2_Test_Task3_GT.txt")
    (folder / "Challenge2_Test_Task3_GT.txt").write_bytes(b'\xef\xbb\xbf1_1.png, "one"\r\n')
    (only,), _ = sets.find_sets(root, ["IC13"])
    assert only.reader[0].text == "one"
