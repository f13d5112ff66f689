"""`python -m eval lexicon` on small lexicons: the rows, the checks, the plot, mistakes."""

import json

import pytest

from eval.__main__ import COMMANDS, main


@pytest.fixture
def lexicon(capsys, tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("\n".join(a + b + c for a in "bcdfg" for b in "aeiou" for c in ("r", "st", "ng")), "utf-8")

    def command(*options):
        code = main("eval", "", COMMANDS, ["lexicon", "--words", str(words), "--images", "4", *map(str, options)])
        return code, *capsys.readouterr()

    return command


def test_every_search_has_its_row_and_they_agree(lexicon, tmp_path):
    code, out, _ = lexicon("--sizes", "20,150", "--deltas", "exact,2", "--json", "--plot", tmp_path / "plot.png")
    rows = json.loads(out)["rows"]
    assert code == 0
    assert (tmp_path / "plot.png").read_bytes()[:4] == b"\x89PNG"
    for size in (20, 150):
        near = [row for row in rows if (row["size"], row["delta"]) == (size, 2)]
        assert [row["search"] for row in near] == ["trie", "trie-numpy", "bk-tree", "pybktree", "brute"]
        assert len({row["accuracy"] for row in near}) == 1
        assert {row["search"] for row in rows if row["delta"] is None} == {"trie", "trie-numpy", "brute"}


@pytest.mark.parametrize(
    "options", [("--sizes", "ten"), ("--deltas", "exact,-1"), ("--images", "0"), ("--words", "/no")]
)
def test_a_mistake_is_one_line_and_exit_code_2(lexicon, options):
    code, _, err = lexicon(*options)
    assert code == 2
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "options, said",
    [
        (("--sizes", "0"), "--sizes 0"),
        (("--deltas", "-1"), "--deltas -1"),
        (("--noise", "-1"), "--noise is -1.0"),
        (("--seed", "-1"), "--seed is -1"),
        (("--plot", "times.xyz"), "--plot times.xyz"),
    ],
)
def test_what_cannot_be_measured_is_one_line_before_anything_runs(lexicon, options, said):
    code, out, err = lexicon(*options)
    assert (code, out) == (2, "") and said in err and err.count("\n") == 1
