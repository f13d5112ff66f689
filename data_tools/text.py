"""Text as it comes in files, and text as the published protocols compare it."""

from __future__ import annotations

import codecs
import gzip
import re
import unicodedata
import zlib
from pathlib import Path

from data_tools.errors import UserError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark begins alike
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_INVISIBLE = "\ufeff\u200b\u2060\u200e\u200f\0\x1a"
"""A byte order mark in the middle of joined files, zero-width spaces, marks of direction, the zero that ends a string
in C and the Ctrl-Z that ends a file of DOS.
"""
_CONTROLS = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What would end the line, or do something to the terminal, that a name is printed on."""
_NOT_ALPHANUMERIC = re.compile(r"[^0-9a-z]+")
MAX_BYTES = 1 << 30
"""Text that unpacks to more is refused: no list of words needs it, and a small file can claim any size."""


def alphanumeric(text: str) -> str:
    """Lower case, reduced to 0-9a-z: what labels, predictions and lexicons become before they are compared."""
    return _NOT_ALPHANUMERIC.sub("", compose(text).lower())


def compose(text: str) -> str:
    """The text in Unicode's composed form (NFC), so that é is one character however it was typed."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def trim(text: str) -> str:
    """The text without white space, byte order marks and zero-width characters at its ends."""
    trimmed = text.strip()
    while trimmed and (trimmed[0] in _INVISIBLE or trimmed[-1] in _INVISIBLE):
        trimmed = trimmed.strip(_INVISIBLE).strip()
    return trimmed


def printable(name: object) -> str:
    """A name, of a file for one, with what no encoding can write as escapes (`caf\\xe9.png`)."""
    text = str(name)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return text


def on_one_line(text: str) -> str:
    """The text with line ends and other control characters as escapes (`a\\nb.png`)."""
    return _CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def encoding_of(start: bytes) -> str | None:
    """The encoding that a byte order mark at the start of a file names, or None."""
    return next((name for mark, name in _MARKS if start.startswith(mark)), None)


def decode_text(content: bytes, fallback: str | None = "cp1252") -> str:
    """Bytes as text: by their byte order mark, else UTF-8, else in `fallback`.

    Raises UnicodeDecodeError where there is no fallback and the bytes are not text of the encoding.
    """
    marked = encoding_of(content)
    if marked:
        return content.decode(marked)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        if fallback is None:
            raise
        return content.decode(fallback, "replace")


def read_text(path: str | Path, fallback: str | None = "cp1252") -> str:
    """A text file, a `.gz` unpacked, its line ends as `\\n`. Raises UserError where it is no text or cannot be read."""
    path = Path(path).expanduser()
    try:
        content = _read_bytes(path)
        text = decode_text(content, fallback)
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: cannot be read as {error.encoding} text; write it in UTF-8") from error
    except (OSError, EOFError, ValueError, zlib.error) as error:
        why = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: cannot be read ({why}); name another file") from error
    if "\0" in (text.rstrip("\0") or text):
        raise UserError(f"{path}: is not a text file")
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\0")


def read_lines(path: str | Path, fallback: str | None = "cp1252") -> list[str]:
    """The lines of a text file that hold anything, trimmed. Raises UserError as `read_text` does."""
    return [line for line in map(trim, read_text(path, fallback).splitlines()) if line]


def _read_bytes(path: Path) -> bytes:
    if path.suffix.lower() != ".gz":
        return path.read_bytes()
    with gzip.open(path) as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError("it unpacks to more than 1 GB")
    return content
