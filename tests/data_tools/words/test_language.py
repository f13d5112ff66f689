"""Language files: whatever list a user has makes one, the same bytes each time, and a damaged one is refused."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from data_tools.__main__ import main
from data_tools.errors import UserError
from data_tools.words.language import BUNDLED, build_language, read_counts, read_language, write_language


def write(path, content: str | bytes) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


@pytest.mark.parametrize(
    "name, content, counts",
    [
        ("list.txt", "rue\navenue\n\nrue\n# a remark\n", {"rue": 2, "avenue": 1}),
        ("counts.txt", "the 23135\nof 13151\n", {"the": 23135, "of": 13151}),
        ("tabs.tsv", "the\t2.5\nthe\t1\nof\t0\n", {"the": 3.5}),
        ("text.txt", "To be, or not to be:\nthat is “the” question.\n", {"be": 2, "the": 1, "question": 1, "To": 1}),
        ("list.txt.gz", gzip.compress("Straße\n".encode(), mtime=0), {"Straße": 1}),
        ("x.dic", "1\nstop\n", {"stop": 1}),
    ],
)
def test_lists_of_every_kind(tmp_path, name, content, counts):
    found = read_counts(write(tmp_path / name, content))
    assert {word: found.get(word) for word in counts} == counts
    assert "of" not in found or "of" in counts


@pytest.mark.parametrize(
    "content, message",
    [
        ("Stra\xdfe\n".encode("latin-1"), "cannot be read as utf-8 text; write it in UTF-8"),
        ("the 12\nof many\n", "'of many' has no count"),
        ("the\tmany\n", "'the\\\\tmany' has no count"),
        ("the 12\nof -3\n", "'of -3' has no count"),
        ("\n\n", "holds no word"),
        ("x" * 40 + "\n", "holds no word"),
    ],
)
def test_lists_of_no_use_are_named(tmp_path, content, message):
    with pytest.raises(UserError, match=message):
        build_language("x", [write(tmp_path / "list.txt", content)])


def test_shares_weigh_the_lists(tmp_path):
    one, two = write(tmp_path / "one.txt", "a\nb\n"), write(tmp_path / "two.txt", "b\nc\nd\n")
    language = build_language("x", [f"{one}:3", f"{two}:1"])
    chances = dict(zip(language.words, np.exp(language.log_chances)))
    assert chances == pytest.approx({"a": 3 / 8, "b": 3 / 8 + 1 / 12, "c": 1 / 12, "d": 1 / 12})
    with pytest.raises(UserError, match="a share is a number above 0"):
        build_language("x", [f"{one}:0"])
    with pytest.raises(UserError, match="cannot be read"):
        build_language("x", ["nowhere.txt"])


def test_a_file_gives_back_its_language(tmp_path, capsys):
    words = write(tmp_path / "words.txt", "rue 90\navenue 10\nplace\u0301 1\n")
    assert main_of("language", words, "--out", str(tmp_path / "fr.lang")) == 0
    assert "3 words" in capsys.readouterr().out
    found, made = read_language(tmp_path / "fr.lang"), build_language("fr", [words])
    assert (found.name, found.words) == ("fr", made.words)
    assert np.abs(found.log_chances - made.log_chances).max() <= 1 / 16


def main_of(*arguments: str) -> int:
    import sys
    from unittest.mock import patch

    with patch.object(sys, "argv", ["data_tools", *arguments]):
        return main()


def test_the_one_that_ships_is_what_its_command_makes(tmp_path):
    """Anyone can make it again from the lists that ship; it stays small."""
    made = build_language("english", ["english:0.62", "signs:0.38"])
    write_language(tmp_path / "english.lang", made)
    again, shipped = read_language(tmp_path / "english.lang"), read_language("english")
    assert again.words == shipped.words and (again.log_chances == shipped.log_chances).all()
    assert (BUNDLED / "english.lang").stat().st_size < 2_000_000


@pytest.mark.parametrize("damage", ["cut", "magic", "header", "body", "more", "empty"])
def test_damaged_files_are_refused(tmp_path, damage):
    """One line, no traceback, and nothing of it is run."""
    path = tmp_path / "x.lang"
    write_language(path, build_language("x", [write(tmp_path / "words.txt", "rue\nplace\n")]))
    content = path.read_bytes()
    broken = {
        "cut": content[:-4],
        "magic": b"P" + content[1:],
        "header": content.replace(b'"words": 2', b'"words": 3'),
        "body": content[:-9] + b"\0\0\0" + content[-6:],
        "more": content + b"x",
        "empty": b"",
    }[damage]
    path.write_bytes(broken)
    with pytest.raises(UserError, match="is no language file, or a damaged one"):
        read_language(path)
