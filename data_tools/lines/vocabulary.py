"""Words of several languages: short lists that ship (`data/*.txt`, compiled for this project), and lists of the user's.

English prose is made of the words that bind it and of the list of rendered words; the other languages of their short
lists, which hold all their accents.
"""

from __future__ import annotations

import functools
from pathlib import Path
from random import Random

from data_tools.errors import UserError
from data_tools.lines.recipe import Recipe
from data_tools.words.wordlist import TIERS, load_words

_DATA = Path(__file__).parent / "data"
FOREIGN = ("french", "german", "spanish", "italian", "portuguese")
QUOTES = {"french": ("« ", " »"), "german": ("„", "“"), "spanish": ("«", "»"), "italian": ("«", "»")}
"""How languages quote; all of them also as English does."""
BINDING = 0.55
"""Share of the words that bind prose, in English."""


@functools.cache
def common_words(language: str) -> tuple[str, ...]:
    """The short list of a language."""
    lines = (_DATA / f"{language}.txt").read_text("utf-8").splitlines()
    return tuple(word for line in lines if not line.startswith("#") for word in line.split())


class Vocabulary:
    """Words of one language, in tiers drawn by their weights; `quotes` are its own besides “ ” and " "."""

    def __init__(self, name: str, tiers: list[tuple[str, ...]], weights: list[float]):
        self.name, self.quotes = name, QUOTES.get(name, ("“", "”"))
        self._tiers, self._weights = tiers, weights

    def word(self, random: Random) -> str:
        """A word as the list has it."""
        tier = self._tiers[0] if len(self._tiers) == 1 else random.choices(self._tiers, self._weights)[0]
        return tier[int(random.random() * len(tier))]

    def sample(self) -> str:
        """Some of its words, joined."""
        return "".join(word for tier in self._tiers for word in tier[:2000])


class Languages:
    """The vocabularies of a recipe, one of which is drawn for a line."""

    def __init__(self, recipe: Recipe):
        allowed = frozenset(recipe.characters)
        if recipe.words is not None:
            listed = load_words(recipe.words, recipe.characters)
            self._home, self._foreign = Vocabulary("own", list(listed), [1.0]), []
        else:
            self._home = _english(recipe.characters)
            usable = ((name, _usable(common_words(name), allowed)) for name in FOREIGN)
            self._foreign = [Vocabulary(name, [words], [1.0]) for name, words in usable if words]
        for path in recipe.more_words:
            self._foreign.append(Vocabulary(path, list(load_words(path, recipe.characters)), [1.0]))
        self._share = recipe.foreign if self._foreign else 0.0

    @property
    def characters(self) -> str:
        """All characters that the first words of each list are written with."""
        return "".join(sorted(set("".join(each.sample() for each in (self._home, *self._foreign)))))

    def draw(self, random: Random) -> Vocabulary:
        """The vocabulary of a line."""
        return random.choice(self._foreign) if random.random() < self._share else self._home


def _usable(words: tuple[str, ...], allowed: frozenset[str]) -> tuple[str, ...]:
    return tuple(word for word in words if not allowed or allowed.issuperset(word))


def _english(characters: str) -> Vocabulary:
    """Raises UserError where the characters write no English word."""
    common = _usable(common_words("english"), frozenset(characters))
    tiers = [common, *load_words(None, characters)]
    weights = [BINDING, *((1 - BINDING) * share for share in TIERS)]
    kept = [(tier, weight) for tier, weight in zip(tiers, weights) if tier]
    if not kept:
        raise UserError(
            f"no word of the lists that ship can be written with the characters {characters!r}; name a list"
        )
    return Vocabulary("english", *map(list, zip(*kept)))
