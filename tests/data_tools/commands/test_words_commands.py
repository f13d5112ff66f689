"""`python -m data_tools words` and `fonts`: bytes, refusals, JSON."""

import json

import pytest

from data_tools.__main__ import COMMANDS
from data_tools.cli import main
from data_tools.readers import open_reader


@pytest.fixture
def tool(capsys):
    def run(*argv):
        code = main("data_tools", "", COMMANDS, [str(arg) for arg in argv])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_workers(tool, tmp_path):
    for workers in (0, 2):
        code, out, _ = tool("words", "--n", 40, "--out", tmp_path / f"{workers}.lmdb", "--workers", workers, "--json")
        assert code == 0 and json.loads(out)["n"] == 40
    one, two = (open_reader(tmp_path / f"{workers}.lmdb") for workers in (0, 2))
    for index in range(40):
        assert one[index].text == two[index].text
        assert one[index].image.tobytes() == two[index].image.tobytes(), "a data set could not be made again"


def test_lines_are_written_as_words_are(tool, tmp_path):
    (tmp_path / "recipe.yaml").write_text("word_share: 0\nprose: 1\n")
    assert "prose" in tool("words", "--kind", "lines", "--n", 9, "--out", "x", "--recipe", tmp_path / "recipe.yaml")[2]
    (tmp_path / "recipe.yaml").write_text("word_share: 0\nwords_per_line: 5\n")
    code, out, _ = tool(
        *("words", "--kind", "lines", "--n", 9, "--out", tmp_path / "x.lmdb", "--recipe", tmp_path / "recipe.yaml")
    )
    assert code == 0 and "9 lines" in out
    assert any(" " in open_reader(tmp_path / "x.lmdb")[index].text for index in range(9))


def test_nothing_is_overwritten(tool, tmp_path):
    assert tool("words", "--n", 3, "--out", tmp_path / "x.lmdb")[0] == 0
    code, _, err = tool("words", "--n", 3, "--out", tmp_path / "x.lmdb")
    assert code == 2 and "exists" in err


@pytest.mark.parametrize(
    "options, named",
    [
        (["--n", "0"], "0 words"),
        (["--n", "3", "--kind", "pages"], "--kind"),
        (["--n", "3", "--workers", "-1"], "--workers"),
        (["--n", "3", "--words", "gone.txt"], "gone.txt"),
        (["--n", "3", "--fonts", "gone_folder"], "gone_folder"),
        (["--n", "3", "--recipe", "gone.yaml"], "gone.yaml"),
        (["--n", "3", "--backgrounds", "gone_pictures"], "gone_pictures"),
        (["--n", "many"], "many"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_data_set(tool, tmp_path, options, named):
    code, out, err = tool("words", *options, "--out", tmp_path / "x.lmdb")
    lines = [line for line in err.splitlines() if line.startswith("data_tools words:")]
    assert (code, out, len(lines)) == (2, "", 1) and named in lines[0]
    assert not (tmp_path / "x.lmdb").exists(), "the next run would be refused for it"


def test_a_folder_that_cannot_be_written_is_named(tool, tmp_path):
    (tmp_path / "file").write_text("in the way")
    code, _, err = tool("words", "--n", 3, "--out", tmp_path / "file" / "x.lmdb")
    assert code == 2 and "file" in err and "Traceback" not in err


def test_fonts_are_listed_with_those_that_are_refused(tool):
    code, out, _ = tool("fonts", "--json")
    listed = json.loads(out)
    assert code == 0 and any("DejaVuSans.ttf" in font["path"] for font in listed["fonts"])
    assert any("cmsy10" in font["path"] for font in listed["refused"])
    code, out, _ = tool("fonts", "--json", "--text", "日")
    assert "DejaVuSans.ttf" not in out.partition('"refused"')[0], "labels would name characters that were not drawn"
