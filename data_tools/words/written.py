"""Texts without pictures, for language models: as the renderer writes them, or drawn from lists."""

from __future__ import annotations

from random import Random

import numpy as np

from data_tools.sample import Sample
from data_tools.words.language import Language
from data_tools.words.recipe import Recipe
from data_tools.words.wordlist import Writer


class WrittenWords:
    """What `RenderedWords` writes, without the pictures. A sample depends on the seed and its index alone."""

    def __init__(self, seed: int, size: int, recipe: Recipe | None = None):
        self.seed, self.size, self.recipe = seed, size, recipe or Recipe()
        self._writer = Writer(self.recipe)

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Sample:
        return Sample(None, self._writer.text(Random(f"{self.seed}/{index}")), f"{index}")


class DrawnWords:
    """`size` words of a language, each as often as it is written."""

    def __init__(self, seed: int, size: int, language: Language):
        self.seed, self.size, self.words = seed, size, language.words
        self._sums = np.cumsum(np.exp(language.log_chances))

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Sample:
        pick = np.random.default_rng((self.seed, index)).random() * self._sums[-1]
        return Sample(None, self.words[int(np.searchsorted(self._sums, pick))], f"{index}")
