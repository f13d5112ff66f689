"""Languages as files: words with how often they are written, for readers that weigh what they see by what is written.

A file is `MAGIC`, a header in JSON with its size before it, and a compressed body: the words, sorted, and for each one
byte, -log of its chance in eighths of a nat. Nothing in it is run; what does not fit is refused.
"""

from __future__ import annotations

import json
import math
import re
import struct
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_tools.errors import UserError
from data_tools.files import write_bytes
from data_tools.text import read_lines
from data_tools.words.hunspell import read_dictionary
from data_tools.words.wordlist import LONGEST, TIERS, load_words, sign_words

MAGIC = b"crnn-language-1\n"
BUNDLED = Path(__file__).parent / "data"
STEPS = 8
"""Steps of one nat in which chances are kept; 255 of them reach down to 1e-14."""
_MOST_BYTES = 64_000_000  # of a body; the one for English has 1.1 MB
_COUNTED = re.compile(r"(\S+)(?:\t| +)(\S+)")


@dataclass(frozen=True)
class Language:
    """Words as they are written, sorted, and log of the chance of each among them (M,)."""

    name: str
    words: tuple[str, ...]
    log_chances: np.ndarray


def build_language(name: str, sources: list[str]) -> Language:
    """The mixture of some lists, `LIST` or `LIST:SHARE` each (see `read_counts`); equal shares unless said.

    Raises UserError where a list cannot be read, a share is no number above 0, or nothing is left.
    """
    total: Counter[str] = Counter()
    for source in sources:
        path, share = _split_share(source)
        counts = {word: count for word, count in read_counts(path).items() if word.isprintable()}
        counts = {word: count for word, count in counts.items() if len(word) <= LONGEST}
        if not counts:
            raise UserError(f"{path}: holds no word of at most {LONGEST} characters; name another list")
        whole = sum(counts.values())
        for word, count in counts.items():
            total[word] += share * count / whole
    words = tuple(sorted(total))
    chances = np.array([total[word] for word in words])
    return Language(name, words, np.log(chances / chances.sum()))


def _split_share(source: str) -> tuple[str, float]:
    path, colon, share = source.rpartition(":")
    if not colon or Path(source).exists():
        return source, 1.0
    try:
        value = float(share)
    except ValueError:
        return source, 1.0
    if not 0 < value < math.inf:
        raise UserError(f"{source}: a share is a number above 0")
    return path, value


def read_counts(path: str) -> dict[str, float]:
    """How often each word is written, by: `english` (the list that ships, by its tiers) or `signs`; a Hunspell `.dic`;
    a list with a word a line, or a word and its count; running text, whose words are counted. `.gz` too.

    Raises UserError where the file cannot be read, is not UTF-8, or a count is no number.
    """
    if path == "english":
        tiers = load_words(None, "")
        return dict(_sum_tiers(tiers))
    if path == "signs":
        return dict.fromkeys(sign_words(""), 1.0)
    if path.lower().endswith(".dic"):
        return dict.fromkeys(read_dictionary(path), 1.0)
    lines = [line for line in read_lines(path, fallback=None) if not line.startswith("#")]
    first = _COUNTED.fullmatch(lines[0]) if lines else None
    if first and (_as_count(first[2]) is not None or any("\t" in line for line in lines[:1])):
        return _read_counted(path, lines)
    if all(len(line.split()) == 1 for line in lines):
        return dict(Counter(lines))
    words = (word.strip("\"'.,;:!?()[]{}<>“”‘’«»…*_") for line in lines for word in line.split())
    return dict(Counter(word for word in words if word))


def _sum_tiers(tiers) -> Counter:
    total: Counter[str] = Counter()
    for tier, share in zip(tiers, TIERS):
        for word in tier:
            total[word] += share / len(tier)
    return total


def _read_counted(path: str, lines: list[str]) -> dict[str, float]:
    total: Counter[str] = Counter()
    for line in lines:
        match = _COUNTED.fullmatch(line)
        count = _as_count(match[2]) if match else None
        if count is None:
            raise UserError(f"{path}: {line[:60]!r} has no count; every line takes a word and a number, or none does")
        if count:
            total[match[1]] += count
    return dict(total)


def _as_count(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < math.inf else None


def write_language(path: str | Path, language: Language) -> int:
    """Writes the file, the same bytes for the same language; returns how many."""
    steps = np.clip(np.rint(-language.log_chances * STEPS), 0, 255).astype(np.uint8)
    body = "\n".join(language.words).encode() + b"\0" + steps.tobytes()
    header = json.dumps({"name": language.name, "words": len(language.words)}).encode()
    content = MAGIC + struct.pack("<I", len(header)) + header + zlib.compress(body, 9)
    write_bytes(path, content)
    return len(content)


def read_language(name: str | Path) -> Language:
    """The language of that name that ships, or of a file. Raises UserError where it is none."""
    path = BUNDLED / f"{name}.lang"
    if not path.is_file():
        path = Path(name).expanduser()
    try:
        content = path.read_bytes()
    except OSError as error:
        known = ", ".join(sorted(file.stem for file in BUNDLED.glob("*.lang")))
        raise UserError(f"language {name}: no such file; there are: {known}, none, or a file") from error
    try:
        return _parse(content)
    except (ValueError, KeyError, TypeError, zlib.error, struct.error) as error:
        raise UserError(
            f"{path}: is no language file, or a damaged one; make it with python -m data_tools language"
        ) from error


def _parse(content: bytes) -> Language:
    """Raises ValueError and its like for what is no such file."""
    if not content.startswith(MAGIC):
        raise ValueError("magic")
    start = len(MAGIC) + 4
    (size,) = struct.unpack("<I", content[len(MAGIC) : start])
    header = json.loads(content[start : start + size])
    unpacker = zlib.decompressobj()
    body = unpacker.decompress(content[start + size :], _MOST_BYTES)
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("body")
    text, _, steps = body.partition(b"\0")
    words = tuple(text.decode().split("\n"))
    fits = len(words) == header["words"] == len(steps) and list(words) == sorted(set(words)) and "" not in words
    if not fits or not isinstance(header["name"], str):
        raise ValueError("words")
    return Language(header["name"], words, np.frombuffer(steps, np.uint8) / -STEPS)
