"""What readers of rendered pictures have in common, whatever they render."""

from __future__ import annotations

from random import Random
from typing import Any, ClassVar, Protocol

from data_tools.errors import UserError
from data_tools.sample import Sample


class Renders(Protocol):
    """A recipe with what it needs opened."""

    def sample(self, random: Random, key: str, recipe: Any) -> Sample: ...


class Rendered:
    """`size` rendered samples as a Reader: `reader[i]` depends on (seed, i, recipe) alone, in whatever process.

    A subclass says what its samples are called (`kind`), what a recipe is (`recipe_type`), and what renders by it
    (`renderer_type`, made at the first sample, in each process).
    """

    kind: ClassVar[str]
    recipe_type: ClassVar[type]
    renderer_type: ClassVar[type]

    def __init__(self, seed: int, size: int, recipe: Any = None):
        if size < 1:
            raise UserError(f"{size} {self.kind} cannot be rendered; ask for one at least")
        self.seed, self.size, self.recipe = int(seed), int(size), recipe or self.recipe_type()
        self._renderer: Renders | None = None

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < self.size:
            raise IndexError(f"{index} is outside of {self.size} rendered {self.kind}")
        random, key = Random(f"{self.kind} {self.seed} {index}"), f"{self.kind}-{self.seed}-{index:09d}"
        return self.renderer().sample(random, key, self.recipe_at(index))

    def recipe_at(self, index: int) -> Any:
        """The recipe of a sample, milder for the first ones where it is eased in."""
        return self.recipe.at(index)

    def renderer(self) -> Renders:
        """The recipe's fonts, words and backgrounds, opened. Raises UserError for a useless folder or list."""
        if self._renderer is None:
            self._renderer = self.renderer_type(self.recipe)
        return self._renderer

    def __getstate__(self) -> dict:
        return {"seed": self.seed, "size": self.size, "recipe": self.recipe, "_renderer": None}
