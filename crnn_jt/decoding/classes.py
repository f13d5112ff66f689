"""What no word list holds and yet is written everywhere: numbers, codes, plates, prices, addresses of the web.

Each class says how likely a string is within it. The figures are rough on purpose: what counts is that a string of
digits, or of letters and digits, is a thing that people write, and costs by its length, not by its spelling.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

_UNITS = "st nd rd th am pm hr hrs h kg g ml l m km mph cm gb mb tb mhz v w mm oz lb ft p k x d s c a b e i n"
UNITS = frozenset(_UNITS.split())
ENDINGS = ("com", "co.uk", "org", "net", "de", "fr", "nl", "info", "in", "edu", "gov", "it", "es", "eu", "us", "uk")
_BARE = tuple(ending.replace(".", "") for ending in ENDINGS)
_COMMON_ENDING = {"com": 0.6, "co.uk": 0.08, "org": 0.08, "net": 0.08}
_PARTS = re.compile(r"[0-9]+|[^\W0-9_]+|[\W_]+")
_LETTERS, _SIGNS = 26, 20  # among how many a letter of a code, a sign within a number are chosen

Chance = Callable[[str], float]
"""The chance of a word, 0 where it is in no list."""


def code_chance(text: str, word: Chance) -> float:
    """Runs of digits, letters and signs: 1984, 22nd, a1, 5.99, kl05ab; 0 for what has no digit."""
    parts = _PARTS.findall(text)
    if not any(part[0].isdigit() for part in parts):
        return 0.0
    chance = 0.5 ** len(parts)
    for part in parts:
        chance *= _part(part, word)
    return chance


def _part(part: str, word: Chance) -> float:
    size = len(part)
    if part[0].isdigit():
        return 0.3 * 0.75**size / 10.0**size
    if not part[0].isalpha():
        return 0.2 * 0.5**size / _SIGNS**size
    spelt = 0.3 * 0.5**size / _LETTERS**size + 0.1 * word(part)
    return spelt + (0.1 / len(UNITS) if part in UNITS else 0.0)


def letters_chance(text: str) -> float:
    """Letters that spell nothing, as on plates and in abbreviations."""
    return 0.4 * 0.6 ** len(text) / _LETTERS ** len(text) if text.isalpha() else 0.0


def pair_chance(text: str, find: Callable[[str], float | None]) -> float:
    """Two listed words written as one, of two letters at least each; `find` gives the chance of a listed one."""
    chance = 0.0
    for cut in range(2, len(text) - 1):
        if (first := find(text[:cut])) and (second := find(text[cut:])):
            chance += first * second
    return chance


def address_name(text: str) -> tuple[str, float] | None:
    """The name within an address of the web and the chance of what stands around it; None for what is no address.

    Full stops may be missing, as in the readings of models that have none.
    """
    plain = text.replace(".", "")
    prefix = plain.startswith("www")
    if not prefix and not plain.endswith(_BARE):
        return None
    name = plain[3:] if prefix else plain
    for ending in ENDINGS:
        bare = ending.replace(".", "")
        if name.endswith(bare) and len(name) > len(bare) + 1 and (prefix or "." in text or len(bare) > 2):
            chance = _COMMON_ENDING.get(ending, 0.16 / len(ENDINGS))
            return name[: -len(bare)], chance * (0.5 if prefix else 0.3)
    return (name, 0.1) if prefix and len(name) > 1 else None


def log(chance: float) -> float:
    """log of a chance; -inf of 0."""
    return math.log(chance) if chance > 0 else -math.inf
