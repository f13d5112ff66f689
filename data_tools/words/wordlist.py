"""What is written: dictionaries, the vocabulary of signs that ships, numbers and mixed strings.

The list that ships is `data/english.txt.gz` (from SCOWL, its licence in the same folder; seven tiers from common to
rare with an empty line between them) and `data/signs.txt` (compiled for this project).
"""

from __future__ import annotations

import functools
import gzip
import logging
import string
from collections.abc import Iterable
from pathlib import Path
from random import Random

from data_tools.errors import UserError
from data_tools.text import compose
from data_tools.words.listfile import read_list
from data_tools.words.recipe import Recipe

logger = logging.getLogger(__name__)
_DATA = Path(__file__).parent / "data"
TIERS = (0.34, 0.20, 0.22, 0.06, 0.12, 0.03, 0.03)  # how often each tier of the list that ships is drawn from
LONGEST = 25  # characters of one drawn word


@functools.lru_cache(maxsize=4)
def load_words(path: str | None, characters: str) -> tuple[tuple[str, ...], ...]:
    """The words of a list (`listfile.read_list`) as one tier; None: the list that ships, in its tiers.

    Words with characters outside `characters` (where it is not empty) or longer than LONGEST are left out. Raises
    UserError for a file that cannot be read and for a user's that leaves no word.
    """
    if path is None:
        tiers = gzip.decompress((_DATA / "english.txt.gz").read_bytes()).decode().split("\n\n")
        return tuple(_only_usable(tier.split("\n"), characters) for tier in tiers)
    usable = _only_usable(read_list(path), characters)
    if not usable:
        raise UserError(f"{path}: holds no word that can be written with the recipe's characters; name another list")
    return (usable,)


def _only_usable(words: Iterable[str], characters: str) -> tuple[str, ...]:
    allowed = frozenset(characters)
    return tuple(dict.fromkeys(word for word in map(compose, map(str.strip, words)) if _usable(word, allowed)))


def _usable(word: str, allowed: frozenset[str]) -> bool:
    return 0 < len(word) <= LONGEST and (not allowed or allowed.issuperset(word)) and word.isprintable()


@functools.lru_cache(maxsize=4)
def sign_words(characters: str) -> tuple[str, ...]:
    """The vocabulary of signs that ships, in the case it has there."""
    lines = (_DATA / "signs.txt").read_text("utf-8").splitlines()
    words = (word for line in lines if not line.startswith("#") for word in line.split())
    return _only_usable(words, characters)


class Writer:
    """Draws texts as a recipe has them: `text(random) -> str`."""

    def __init__(self, recipe: Recipe):
        self._recipe = recipe
        tiers = [tier for tier in zip(load_words(recipe.words, recipe.characters), TIERS) if tier[0]]
        if not tiers:
            raise UserError(f"no word of the list that ships can be written with the characters {recipe.characters!r}")
        self._tiers, self._weights = zip(*tiers)
        self._signs = (sign_words(recipe.characters) if recipe.words is None else ()) or self._tiers[0]
        self._sign_share = 0.0 if recipe.words else recipe.sign_share
        self._allowed = frozenset(recipe.characters)

    def text(self, random: Random) -> str:
        """A word, or several with spaces between them where the recipe wants lines."""
        count = 1 + int(random.random() * self._recipe.words_per_line)
        return " ".join(self.word(random) for _ in range(count))

    def word(self, random: Random) -> str:
        """One word, its case and punctuation set; only the recipe's characters."""
        for _ in range(20):
            word = self._any(random)
            if not self._allowed or self._allowed.issuperset(word):
                return word
        return self._dictionary(random)

    def _any(self, random: Random) -> str:
        recipe, pick = self._recipe, random.random()
        if pick < recipe.digits_share:
            return digits(random)
        pick -= recipe.digits_share
        if pick < recipe.mixed_share:
            return write_mixed(random, self._signs)
        pick -= recipe.mixed_share
        if pick < recipe.random_share:
            return _case(at_random(random), random, recipe)
        pick -= recipe.random_share
        draw = self._sign if pick < self._sign_share else self._dictionary
        word = draw(random)
        for _ in range(3):
            if random.random() < recipe.short_words:
                word = min(word, draw(random), key=len)
        return _punctuate(_case(word, random, recipe), random, recipe)

    def _sign(self, random: Random) -> str:
        return self._signs[int(random.random() * len(self._signs))]

    def _dictionary(self, random: Random) -> str:
        words = random.choices(self._tiers, self._weights)[0]
        return words[int(random.random() * len(words))]


def _case(word: str, random: Random, recipe: Recipe) -> str:
    pick = random.random()
    if pick < recipe.upper_share:
        upper = word.upper()
        return upper if len(upper) <= LONGEST else word
    pick -= recipe.upper_share
    if pick < recipe.capital_share:
        return word[:1].upper() + (word[1:].lower() if word.isupper() and len(word) > 4 else word[1:])
    pick -= recipe.capital_share
    return word.lower() if pick < recipe.lower_share else word


_AFTER = (".", ",", ",", ".", "!", "!", "!!", "!!!", "?", ":", ";", "-", "'s", "’s", "...", "*", "/", ")")
_AROUND = (
    ('"', '"'),
    ("(", ")"),
    ("'", "'"),
    ("(", ""),
    ("", ")"),
    ('"', ""),
    ("", '"'),
    ("#", ""),
    ("&", ""),
    ("-", ""),
    ("@", ""),
    ("“", ""),
    ("“", "”"),
    ("", "”"),
    ("‘", "’"),
    ("|", ""),
    ("", "|"),
)


def _punctuate(word: str, random: Random, recipe: Recipe) -> str:
    if random.random() >= recipe.punctuation_share * 2:
        return word
    if random.random() < 0.65:
        after = random.choice(_AFTER)
        return word + (after.upper() if word.isupper() else after)
    before, after = random.choice(_AROUND)
    return before + word + after


def at_random(random: Random) -> str:
    """Letters, and now and then digits, that spell nothing."""
    letters = string.ascii_lowercase if random.random() < 0.7 else string.ascii_lowercase + string.digits
    return "".join(random.choice(letters) for _ in range(random.randint(1, 8)))


def digits(random: Random) -> str:
    """A house number, year, price, telephone number, percentage, date …"""
    kind, number = random.random(), random.randrange
    if kind < 0.40:
        return str(number(10 ** random.choice((1, 2, 2, 3, 3, 4, 5, 6))))
    if kind < 0.52:
        return str(number(1850, 2035))
    if kind < 0.68:
        return _telephone(random)
    if kind < 0.80:
        price = f"{number(0, 100)}.{random.choice(('99', '50', '00', '95', f'{number(100):02}'))}"
        return random.choice(("$", "$", "", "", "-")) + price
    if kind < 0.86:
        return f"{number(1, 101)}%"
    if kind < 0.92:
        return f"{number(1, 1000)},{number(1000):03}"
    return random.choice(("/", "-", ".")).join((f"{number(1, 32):02}", f"{number(1, 13):02}", f"{number(0, 100):02}"))


def _telephone(random: Random) -> str:
    digit = lambda count: "".join(str(random.randrange(10)) for _ in range(count))  # noqa: E731
    return random.choice(
        (
            f"{digit(3)}-{digit(4)}",
            f"{digit(3)}-{digit(3)}-{digit(4)}",
            f"({digit(3)})",
            f"0{digit(4)}",
            digit(6),
            digit(7),
            f"{digit(3)}.{digit(4)}",
            f"+{digit(2)}",
        )
    )


_UNITS = (
    "kg",
    "g",
    "ml",
    "l",
    "m",
    "km",
    "mph",
    "cm",
    "GB",
    "MB",
    "TB",
    "MHz",
    "V",
    "W",
    "mm",
    "oz",
    "lb",
    "ft",
    "p",
    "k",
    "x",
    "D",
    "G",
    "th",
    "s",
)


def write_mixed(random: Random, words: tuple[str, ...]) -> str:
    """Letters with digits: road numbers, hours, ordinals, models, addresses of the web, number plates."""
    kind, number, letter = random.random(), random.randrange, lambda: random.choice(string.ascii_uppercase)
    word = random.choice(words)
    if kind < 0.14:
        return f"{random.choice('AABMEISNK')}{number(1, 400)}"
    if kind < 0.28:
        return ordinal(number(1, 120), random)
    if kind < 0.42:
        return random.choice(
            (
                f"{number(1, 13)}{random.choice(('am', 'pm', 'AM', 'PM'))}",
                f"{number(1, 25)}HR",
                f"{number(1, 25)}h",
                f"{number(0, 24)}:{number(0, 60):02}",
            )
        )
    if kind < 0.54:
        unit = random.choice(_UNITS)
        return f"{number(1, 10 ** random.choice((1, 2, 3)))}{unit}"
    if kind < 0.74:
        return _address(random, word, random.choice(words))
    if kind < 0.84:
        return "".join(random.choice(string.ascii_uppercase + string.digits) for _ in range(number(2, 8)))
    if kind < 0.92:
        letters = letter() + (letter() if random.random() < 0.5 else "")
        return f"{letters}{random.choice(('-', '', ''))}{number(1, 1000)}{random.choice(('', '', letter()))}"
    return f"{word}{number(1, 100)}" if random.random() < 0.5 else f"{random.choice('24')}{word}"


def _address(random: Random, one: str, two: str) -> str:
    """An address of the web: www. or not, one word or two, small letters, CamelCase or capitals."""
    name = one.lower() if random.random() < 0.5 else one.lower() + two.lower()
    if random.random() < 0.2:
        name = one[:1].upper() + one[1:].lower() + two[:1].upper() + two[1:].lower()
    ending = random.choice((".com", ".com", ".com", ".co.uk", ".org", ".net", ".de", ".fr", ".nl", ".info", ".in"))
    name = random.choice(("www.", "www.", "")) + name.strip(".,&'-")[:17] + ending
    return name.upper() if random.random() < 0.12 else name


def ordinal(number: int, random: Random) -> str:
    """5th, 22nd, 101ST …"""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending.upper() if random.random() < 0.4 else ending}"
