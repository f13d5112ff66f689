"""What is written: lists, shares, case, characters."""

import gzip
from random import Random

import pytest

from data_tools.errors import UserError
from data_tools.words import Recipe
from data_tools.words.recipe import PRINTABLE, QUOTES
from data_tools.words.wordlist import Writer, load_words, ordinal, sign_words


def texts(recipe: Recipe, count: int = 300) -> list[str]:
    writer, random = Writer(recipe), Random(5)
    return [writer.text(random) for _ in range(count)]


def words_alone(**values) -> dict:
    return {"digits_share": 0.0, "mixed_share": 0.0, "random_share": 0.0, "punctuation_share": 0.0, **values}


def case_kept(**values) -> dict:
    return words_alone(upper_share=0.0, capital_share=0.0, lower_share=0.0, **values)


@pytest.mark.parametrize("content", [b"", b"\n \n\n", "naïve\n".encode()])
def test_a_list_without_a_usable_word_is_refused(tmp_path, content):
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(UserError, match=r"list\.txt.*no word"):
        Writer(Recipe(words=str(tmp_path / "list.txt")))


@pytest.mark.parametrize("content", [b"\xff\xfe\x00broken", None])
def test_a_list_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "list.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"list\.txt: cannot be read"):
        Writer(Recipe(words=str(path)))


def test_a_users_list_is_all_that_is_written(tmp_path):
    (tmp_path / "list.txt").write_text("Hafen\nStraße\nCafé\n", "utf-8")
    written = texts(Recipe(words=str(tmp_path / "list.txt"), characters="", **case_kept()))
    assert set(written) == {"Hafen", "Straße", "Café"}, "foreign words would be mixed into the user's"


def test_packed_lists_are_read(tmp_path):
    path = tmp_path / "list.txt.gz"
    path.write_bytes(gzip.compress(b"alpha\nbeta\n"))
    assert load_words(str(path), "") == (("alpha", "beta"),)


def test_only_the_recipes_characters_are_written():
    allowed = set("aeiourstlnEIOT0123456789")
    assert allowed.issuperset("".join(texts(Recipe(characters="".join(sorted(allowed))))))
    assert set(PRINTABLE + QUOTES).issuperset("".join(texts(Recipe())))


def test_characters_that_spell_no_word_are_the_users_mistake():
    with pytest.raises(UserError, match="can be written"):
        Writer(Recipe(characters="~"))


def test_the_shares_are_kept():
    plain = texts(Recipe(**words_alone(upper_share=0.5, capital_share=0.3, lower_share=0.2)), 2000)
    assert 0.42 < sum(word.isupper() for word in plain) / 2000 < 0.60
    assert 0.15 < sum(word.islower() for word in plain) / 2000 < 0.26
    numbers = texts(Recipe(digits_share=1.0, sign_share=0, mixed_share=0, random_share=0), 200)
    assert all(any(c.isdigit() for c in word) for word in numbers)
    mixed = texts(Recipe(mixed_share=1.0, sign_share=0, digits_share=0, random_share=0), 200)
    assert sum(any(c.isdigit() for c in w) and any(c.isalpha() for c in w) for w in mixed) > 100


def test_lines_of_several_words():
    counts = {len(text.split(" ")) for text in texts(Recipe(words_per_line=3), 100)}
    assert counts == {1, 2, 3}


def test_the_list_that_ships_is_generous_and_clean():
    assert sum(map(len, load_words(None, ""))) > 80_000 and len(sign_words("")) > 2500
    assert all(word.strip() and len(word) <= 25 for tier in load_words(None, "") for word in tier)


@pytest.mark.parametrize(
    "number, end", [(1, "st"), (2, "nd"), (3, "rd"), (4, "th"), (11, "th"), (112, "th"), (121, "st")]
)
def test_ordinals(number, end):
    assert ordinal(number, Random(0)).lower() == f"{number}{end}"
