"""What recipes have in common: plain values, so that they travel through YAML, pickles and metadata."""

from __future__ import annotations

import functools
from dataclasses import fields, replace
from typing import Self

from data_tools.errors import UserError
from data_tools.text import read_text


def freeze_lists(recipe) -> None:
    """Lists among a frozen dataclass's values, as YAML has them, become tuples."""
    for field in fields(recipe):
        value = getattr(recipe, field.name)
        if isinstance(value, list):
            object.__setattr__(recipe, field.name, tuple(value))


class EasedRecipe:
    """A frozen dataclass with `strength`, which grows from a fifth to its value over the first `ease_in` samples."""

    strength: float
    ease_in: int

    @classmethod
    def from_file(cls, path: str) -> Self:
        """A recipe from a YAML file. Raises UserError for an unknown key or a value of a wrong kind."""
        import yaml

        try:
            values = yaml.safe_load(read_text(path, fallback=None)) or {}
        except (ValueError, yaml.YAMLError, RecursionError) as error:
            raise UserError(f"{path}: cannot be read as YAML ({' '.join(str(error).split())})") from error
        known = {field.name for field in fields(cls)}
        if not isinstance(values, dict) or not known.issuperset(values):
            odd = ", ".join(map(str, set(values) - known)) if isinstance(values, dict) else repr(values)
            raise UserError(f"{path}: {odd}: no such value of a recipe; there are: {', '.join(sorted(known))}")
        return cls(**values)

    def at(self, index: int) -> Self:
        """The recipe of sample `index`: this one, or while `ease_in` lasts a milder one, in ten steps."""
        if index >= self.ease_in:
            return self
        done = (10 * index // self.ease_in) / 10
        return _milder(self, 0.2 + 0.8 * done)

    def with_(self, **changes) -> Self:
        """A copy with other values."""
        return replace(self, **changes)


@functools.lru_cache(maxsize=64)
def _milder(recipe: EasedRecipe, share: float) -> EasedRecipe:
    return replace(recipe, strength=recipe.strength * share)
