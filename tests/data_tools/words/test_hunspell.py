"""Hunspell dictionaries: affixes as hunspell(5) has them, and files that are not what they say."""

import pytest

from data_tools.errors import UserError
from data_tools.words.hunspell import read_dictionary

AFF = """SET UTF-8
PFX A Y 1
PFX A 0 re .
PFX U N 1
PFX U 0 un .
SFX D Y 4
SFX D 0 d e
SFX D y ied [^aeiou]y
SFX D 0 ed [^ey]
SFX D 0 ed [aeiou]y
SFX S N 1
SFX S 0 s .
FORBIDDENWORD !
"""


def dictionary(tmp_path, words: str, affixes: str | None = AFF, encoding: str = "utf-8") -> list[str]:
    (tmp_path / "x.dic").write_bytes(words.encode(encoding))
    if affixes is not None:
        (tmp_path / "x.aff").write_bytes(affixes.encode(encoding))
    return read_dictionary(str(tmp_path / "x.dic"))


@pytest.mark.parametrize(
    "entry, words",
    [
        ("create/AD", {"create", "created", "recreate", "recreated"}),
        ("carry/D", {"carry", "carried"}),
        ("play/D", {"play", "played"}),
        ("work/DU", {"work", "worked", "unwork"}),  # U does not cross with suffixes
        ("cat/S po:noun", {"cat", "cats"}),
        ("plain", {"plain"}),
        ("wrong/!S", set()),
        ("odd/Z", {"odd"}),
    ],
)
def test_affixes_expand(tmp_path, entry, words):
    assert set(dictionary(tmp_path, f"1\n{entry}\n")) == words


def test_long_and_numbered_flags_and_aliases(tmp_path):
    long = "SET UTF-8\nFLAG long\nSFX Aa Y 1\nSFX Aa 0 s .\nSFX Bb Y 1\nSFX Bb 0 ed .\n"
    assert set(dictionary(tmp_path, "1\nwalk/AaBb\n", long)) == {"walk", "walks", "walked"}
    number = "SET UTF-8\nFLAG num\nAF 1\nAF 10,11\nSFX 10 Y 1\nSFX 10 0 s .\nSFX 11 Y 1\nSFX 11 0 er .\n"
    assert set(dictionary(tmp_path, "1\nwalk/1\n", number)) == {"walk", "walks", "walker"}


def test_the_encoding_of_the_aff_file_is_the_dictionarys(tmp_path):
    assert dictionary(tmp_path, "1\ncafé\n", "SET ISO8859-1\n", "latin-1") == ["café"]


def test_a_dictionary_without_affix_file_gives_its_stems(tmp_path):
    assert dictionary(tmp_path, "2\none/AD\ntwo\n", None) == ["one", "two"]


def test_malformed_affixes_are_passed_over(tmp_path):
    assert set(
        dictionary(tmp_path, "1\nword/SD\n", "SET UTF-8\nSFX S Y 1\nSFX S\nSFX S 0 s [z\nSFX D Y 1\nSFX D 0 ed .\n")
    ) == {
        "word",
        "worded",
    }


@pytest.mark.parametrize("line", ["\0", "SFX S 0 \0 .", "FLAG \0", "AF 1\0", "PFX \0 Y 1"])
def test_a_nul_among_the_affixes_costs_no_word(line, tmp_path, caplog):
    """A damaged line is passed over like any malformed one, and said; one at its end is white space."""
    found = dictionary(tmp_path, "2\nlock/S\ncity\n", f"SET UTF-8\n{line}\nSFX S Y 1\nSFX S 0 s [^y]\n")
    assert {"lock", "locks", "city"} <= set(found)
    assert ("1 damaged lines are passed over" in caplog.text) == ("\0" in line.rstrip("\0"))


@pytest.mark.parametrize("affixes", ["SET NO-SUCH-CODE\n", "SET a\0b\nSFX S Y 1\n"])
def test_unknown_encodings_and_missing_files_are_named(tmp_path, affixes):
    with pytest.raises(UserError, match=r"x.*cannot be read"):
        dictionary(tmp_path, "1\nword\n", affixes)
    with pytest.raises(UserError, match=r"gone\.dic"):
        read_dictionary(str(tmp_path / "gone.dic"))
