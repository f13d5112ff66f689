"""Lexicons as the test protocols want them."""

import gzip

import pytest

from data_tools.errors import UserError
from data_tools.lexicons import TooFewLabels, draw_lexicons, full, labels, normalise_words, read_lexicon, read_words
from data_tools.readers import open_reader

LABELS = [f"Word-{i % 70}" for i in range(100)]


def test_words_are_lowered_reduced_and_distinct_in_their_order():
    assert normalise_words(["Don't", "dont", "CAFÉ", "--", "", "24h", "İx"]) == ["dont", "caf", "24h", "ix"]


def test_a_hunspell_dictionary_is_expanded_with_its_affixes(tmp_path):
    (tmp_path / "en.aff").write_text("SET UTF-8\nSFX S Y 1\nSFX S 0 s [^s]\nPFX U Y 1\nPFX U 0 un .\n")
    (tmp_path / "en.dic").write_text("3\nlock/SU\nDublin\ngas/S\n")
    assert sorted(read_lexicon(tmp_path / "en.dic")) == ["dublin", "gas", "lock", "locks", "unlock", "unlocks"]


def test_word_lists_may_be_compressed_latin_or_begin_with_a_mark(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfHotel\r\nhotel\r\nBar\r\n")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(b"hotel\nbar\n"))
    (tmp_path / "c.txt").write_bytes("café\nbar\n".encode("latin-1"))
    assert read_lexicon(tmp_path / "a.txt") == read_lexicon(tmp_path / "b.txt.gz") == ["hotel", "bar"]
    assert read_lexicon(tmp_path / "c.txt") == ["caf", "bar"]


LISTS = {
    "a word and its count.txt": "Hotel\t12\nSt. Mary's\t3\n",
    "numbered.txt": "1\tHotel\n2\tSt. Mary's\n",
    "with a heading.csv": "id,word\n1,Hotel\n2,St. Mary's\n",
    "semicolons.CSV": "Hotel;3,5\nSt. Mary's;2,1\n",
    "strings.json": '["Hotel", "St. Mary\'s"]',
    "counts.json": '{"Hotel": 12, "St. Mary\'s": 3}',
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_with_counts_and_numbers_are_lists_of_words(name, tmp_path):
    (tmp_path / name).write_text(LISTS[name])
    assert [word for word in read_words(tmp_path / name) if word != "word"] == ["Hotel", "St. Mary's"]


@pytest.mark.parametrize("content", ['{"words": ["Hotel"]}', "[1]", "{", "7", "[" * 100_000])
def test_json_of_something_else_is_no_list_of_words(content, tmp_path):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(UserError, match=r"x\.json"):
        read_words(tmp_path / "x.json")


def test_a_dictionary_in_capitals_has_its_affixes(tmp_path):
    """As old archives and Windows copy it."""
    (tmp_path / "EN.AFF").write_text("SET UTF-8\nSFX S Y 1\nSFX S 0 s .\n")
    (tmp_path / "EN.DIC").write_text("1\nlock/S\n")
    assert read_words(tmp_path / "EN.DIC") == ["lock", "locks"]


@pytest.mark.parametrize("content", [b"", b"---\n", b"\0\1binary", b"\x1f\x8b"])
def test_a_list_without_words_or_text_is_refused_by_name(tmp_path, content):
    (tmp_path / "x.txt.gz" if content[:1] == b"\x1f" else tmp_path / "x.txt").write_bytes(content)
    with pytest.raises(UserError, match=r"x\.txt"):
        read_lexicon(next(tmp_path.iterdir()))


def test_the_labels_of_a_data_set_are_its_full_lexicon(folder, usual_lmdb):
    wanted = ["exit", "hotel", "open", "caf", "24h", "market", "noentry", "a", "pharmacy", "rose"]
    assert read_lexicon(folder(25)) == full(labels(open_reader(folder(12, "b")))) == wanted
    assert sorted(read_lexicon(usual_lmdb(25))) == sorted(wanted)


def test_labels_are_read_without_looking_at_pictures(folder):
    root = folder(5)
    for picture in (root / "image").iterdir():
        picture.unlink()
    assert labels(open_reader(root))[:2] == ["Exit", "hotel"]


@pytest.mark.parametrize("size", [1, 50, 70])
def test_every_image_gets_exactly_n_distinct_words_with_its_own_among_them(size):
    lexicons = list(draw_lexicons(LABELS, size))
    assert len(lexicons) == len(LABELS)
    for label, lexicon in zip(LABELS, lexicons):
        assert len(lexicon) == len(set(lexicon)) == size and normalise_words([label])[0] in lexicon
        assert lexicon == sorted(lexicon)


def test_the_seed_fixes_the_lists_and_other_images_get_other_words():
    first = list(draw_lexicons(LABELS, 50, seed=1))
    assert first == list(draw_lexicons(LABELS, 50, seed=1)) != list(draw_lexicons(LABELS, 50, seed=2))
    assert first[0] != first[70]  # the same label twice in the set


def test_other_words_are_drawn_evenly():
    counts = {}
    for lexicon in draw_lexicons(["truth"] * 2000 + [f"w{i}" for i in range(9)], 5, seed=3):
        for word in lexicon:
            counts[word] = counts.get(word, 0) + 1
    others = [count for word, count in counts.items() if word != "truth"]
    assert len(others) == 9 and max(others) < 1.2 * min(others)


def test_an_image_without_a_usable_label_still_has_a_full_list():
    assert len(next(draw_lexicons(["&", *LABELS], 50))) == 50


def test_a_set_with_too_few_labels_leaves_the_column_out_and_says_why():
    with pytest.raises(TooFewLabels, match="70 distinct labels, less than the 1000"):
        draw_lexicons(LABELS, 1000)
