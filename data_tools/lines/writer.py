"""What a line says: prose, headings, forms, receipts, code, single words, each in the words of one language."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from random import Random

from data_tools.lines import forms
from data_tools.lines.recipe import ACCENTED, Recipe
from data_tools.lines.vocabulary import Languages, Vocabulary
from data_tools.words.wordlist import Writer

_PLAIN = {letter: unicodedata.normalize("NFD", letter)[0] for letter in ACCENTED}
_ACCENTS = {plain: [letter for letter in ACCENTED if _PLAIN[letter] == plain] for plain in _PLAIN.values()}
_SYMBOLS = "-&#:/+*%()=.,$@'\"–•?!|<>[]€£§°"
_RETRIES = 4
"""A text that the characters of a small set do not write is written without the others after so many."""


@dataclass(frozen=True)
class Written:
    """A text, runs of spaces in it for wide gaps, and what kind of text it is."""

    text: str
    kind: str


class LineWriter:
    """Draws texts as a recipe has them: `write(random)`. Raises UserError for a word list of no use."""

    def __init__(self, recipe: Recipe):
        self._recipe = recipe
        self._languages, self._tokens = Languages(recipe), Writer(recipe.lettering)
        self._allowed = frozenset(recipe.characters)
        self._characters = recipe.characters.replace(" ", "") or self._languages.characters
        self._kinds = {
            "word": self._word,
            "heading": self._heading,
            "form": self._form,
            "bill": self._bill,
            "code": self._code,
            "random": self._at_random,
        }

    def write(self, random: Random) -> Written:
        """A text with the recipe's characters alone."""
        pick, kind = random.random(), "prose"
        for name, share in self._recipe.shares.items():
            pick -= share
            if pick < 0:
                kind = name
                break
        draw = self._kinds.get(kind, self._prose)
        for _ in range(_RETRIES):
            vocabulary = self._languages.draw(random)
            text = draw(random, vocabulary).strip()
            if text and (not self._allowed or self._allowed.issuperset(text)):
                return Written(text, kind)
        kept = "".join(character for character in text if character in self._allowed).strip()
        return Written(kept or vocabulary.word(random), kind)

    def token(self, random: Random) -> str:
        """A single word for the surroundings of a line."""
        return self._tokens.word(random)

    def _word(self, random: Random, vocabulary: Vocabulary) -> str:
        if random.random() < self._recipe.symbol_share:
            return "".join(random.choices(_SYMBOLS, k=random.choice((1, 1, 1, 2))))
        if vocabulary.name == "english" or random.random() < 0.2:
            return self._accent(self._tokens.word(random), random)
        word, case = vocabulary.word(random), random.random()
        word = word.upper() if case < 0.25 else word.capitalize() if case < 0.45 else word
        if random.random() < 0.2:
            return _quote(word, random, vocabulary)
        return word + random.choice((",", ".", ":", "!", ";")) if random.random() < 0.15 else word

    def _accent(self, word: str, random: Random) -> str:
        if random.random() >= self._recipe.accents:
            return word
        allowed = self._allowed
        letters = [random.choice(_ACCENTS[c]) if c in _ACCENTS and random.random() < 0.5 else c for c in word]
        return "".join(new if not allowed or new in allowed else old for new, old in zip(letters, word))

    def _count(self, random: Random, least: int = 1) -> int:
        most = self._recipe.words_per_line
        return min(most, random.randint(least, max(least, most)))

    def _prose(self, random: Random, vocabulary: Vocabulary) -> str:
        """A piece of running text as it stands on one line: it may begin and end within a sentence."""
        words = [vocabulary.word(random) for _ in range(self._count(random, 2))]
        if vocabulary.name == "english":
            words = [self._accent(word, random) for word in words]
        starts = random.random() < 0.35
        for place, word in enumerate(words):
            if starts:
                words[place] = word[:1].upper() + word[1:]
            starts = False
            pick = random.random()
            if pick < 0.06:
                words[place] += ","
            elif pick < 0.11:
                words[place] += random.choice((".", ".", ".", "?", "!", ":"))
                starts = words[place][-1] != ":"
            elif pick < 0.13:
                words[place] = _quote(words[place], random, vocabulary)
            elif pick < 0.15:
                words[place] = random.choice(
                    (f"{word} –", f"({word})", f"{word};", f"{word} —", f"{word}-{word}", f"{word} &")
                )
            elif pick < 0.18:
                words[place] = forms.write_number(random, vocabulary)
        text = " ".join(words)
        if random.random() < 0.06:
            text = text.upper()
        return text + "-" if random.random() < 0.05 else text

    def _heading(self, random: Random, vocabulary: Vocabulary) -> str:
        words = [vocabulary.word(random) for _ in range(min(self._recipe.words_per_line, random.randint(2, 6)))]
        case = random.random()
        if case < 0.5:
            return " ".join(words).upper()
        if case < 0.85:
            return " ".join(word[:1].upper() + word[1:] for word in words)
        return (" ".join(words)).capitalize() + random.choice(("", "", ":", "!", "?"))

    def _form(self, random: Random, vocabulary: Vocabulary) -> str:
        return random.choice(forms.FORMS)(random, vocabulary)

    def _bill(self, random: Random, vocabulary: Vocabulary) -> str:
        return forms.write_bill(random, vocabulary)

    def _code(self, random: Random, vocabulary: Vocabulary) -> str:
        return forms.write_code(random, vocabulary)

    def _at_random(self, random: Random, _: Vocabulary) -> str:
        words = ("".join(random.choices(self._characters, k=random.randint(1, 8))) for _ in range(random.randint(1, 4)))
        return " ".join(words)


def _quote(word: str, random: Random, vocabulary: Vocabulary) -> str:
    before, after = random.choice((vocabulary.quotes, ('"', '"'), ("“", "”"), ("‘", "’"), ("'", "'"), ("(", ")")))
    return before + word + after
