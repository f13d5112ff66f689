"""Text files as Windows, Macs and exporters write them: the same lines come out of all."""

import gzip

import pytest

from data_tools.errors import UserError
from data_tools.text import alphanumeric, compose, on_one_line, printable, read_lines, read_text, trim

WORDS = ["Hôtel", "St. Mary's", "naïve"]
FORMS = {
    "utf-8": "\n".join(WORDS).encode(),
    "utf-8 with a mark": b"\xef\xbb\xbf" + "\n".join(WORDS).encode(),
    "utf-16 little": "\ufeff".encode("utf-16-le") + "\n".join(WORDS).encode("utf-16-le"),
    "utf-16 big": "\ufeff".encode("utf-16-be") + "\n".join(WORDS).encode("utf-16-be"),
    "utf-32": "\n".join(WORDS).encode("utf-32"),
    "windows": "\r\n".join(WORDS).encode("cp1252"),
    "latin": "\n".join(WORDS).encode("latin-1"),
    "old mac": "\r".join(WORDS).encode(),
    "blanks": ("\n\n  " + " \t\n\u00a0".join(WORDS) + "\u3000\n").encode(),
    "DOS, with its end of file": "\r\n".join([*WORDS, "\x1a"]).encode(),
    "marks of direction": "\n".join(f"\u200f{word}\u200e" for word in WORDS).encode(),
    "joined files": "\ufeffHôtel\n\ufeffSt. Mary's\n\u200bnaïve\u200b".encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_lines_whatever_wrote_them(form, tmp_path):
    """A word must not begin with a byte order mark or end with a carriage return."""
    (tmp_path / "a.txt").write_bytes(FORMS[form])
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(FORMS[form]))
    assert read_lines(tmp_path / "a.txt") == read_lines(tmp_path / "a.txt.gz") == WORDS


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", b"a\0b\1", "is not a text file"),
        ("a.gz", b"no gzip", "cannot be read"),
        ("a.gz", gzip.compress(b"word\n" * 99, mtime=0)[:-9], "cannot be read"),
        ("a.gz", gzip.compress(b"word\n" * 99, mtime=0)[:12] + b"\xff" * 40, "cannot be read"),
        ("b.txt", b"\xff\xfea", "cannot be read as utf-16"),
    ],
)
def test_what_is_no_text_is_one_line(name, content, said, tmp_path):
    """Damaged archives and binaries are named with the file."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name}: {said}"):
        read_text(tmp_path / name)
    with pytest.raises(UserError, match="nowhere"):
        read_text(tmp_path / "nowhere")


def test_trimming_takes_what_nobody_sees():
    assert trim("\ufeff \u200bword one\0\r\n") == "word one" and trim("\u200b \ufeff") == ""


def test_composed_and_decomposed_text_is_the_same():
    """é typed as one key or as two."""
    assert compose("cafe\u0301") == "café" and alphanumeric("CAFE\u0301") == alphanumeric("café")


def test_names_that_no_terminal_can_write_are_escaped():
    assert printable("caf\udce9.png") == r"caf\xe9.png" and printable("café.png") == "café.png"


def test_a_name_cannot_end_its_line_or_change_the_terminal():
    assert on_one_line("a\nb\x1b[2J\u202egnp.é") == r"a\nb\x1b[2J\u202egnp.é"
